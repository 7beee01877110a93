"""What counts as asking for nudity without its plain words, in English: by what is left on, what is
seen through or beneath, what becomes of the clothes, and who poses how.

Where `nudity` and `undressing` list what is worn or shed, the first rule here goes by what is
missing: a whole garment (`<whole>`), which would make the sentence harmless.
"""

from mm_model.serving.words.rules import Rule, listed

RULES = (
    Rule(
        "wears what is no garment, and nothing else",
        listed(
            r"""
            - <dressed> (?:absolutely |literally |practically )?(?:nothing|little|naught) (?:but|
              except|save|besides|beyond|aside from|other than|apart from|more than)(?!(?:[\w']+
              ){0,5}<whole>)[\w']+
            - <dressed> (?:absolutely |literally |quite )?nothing(?! (?:special\w*|fancy|unusual|
              new|but|that|expensive|too|flashy|warm\w*|formal|out|extraordinary|remarkable|elegant|
              bright\w*|colou?rful|like|extra|over|on|much|particular\w*|more|less|else|valuable|
              glamorous|showy|heav\w+|around|about|waterproof|protective|made|from|by|designer|
              branded|other|further|dressy|sparkly|festive|to (?:work|school)|except|besides|save|
              apart|aside|underneath|under|beneath|short|matching|clean|borrowed|of)(?![^\W_]))(?=
              \w)
            - (?:not|without|nor|lacking|minus) (?:one|a single|even one|even a|so much as a|the
              least|the slightest) (?:\w+ )?(?:garment|stitch|thread|scrap|item|piece|article|bit|
              shred|square inch|inch)(?: of (?:\w+ )?(?:cloth\w*|fabric|garment\w*|textile|
              material))?(?= ?[.,;!]| ?$| on\b| to be| in sight)
            - (?:without|no|neither)\b[^.]{0,40} (?:or|nor|and no) (?:any )?(?:underpants|underwear|
              panties|bra|undergarments|trousers|pants|clothes)(?= ?[.,;!]| ?$)
            - with (?:<only>) (?:a |an |the |her |his |their )?<w>(?:<cover>|<undies>) on(?=
              ?[.,;!]| ?$| (?:and|in|at|while)\b)
            - covered (?:only|just|solely|merely) (?:by|with|in) (?:a |an |the |her |his |their |
              some )?<w><cover>
            - (?:left|leaves?|leaving|forgot\w*) (?:all )?<own> (?:\w+ )?(?:clothes|clothing|
              garments|underwear|attire|outfit|pants) (?:at home|behind|on the (?:beach|shore|chair|
              floor|rocks|bank))
            - only (?:got|has|have|had) (?:\w+ ){0,3}(?:<cover>|sock|<undies>) on(?=
              ?[.,;!]| ?$| (?:down|and|in)\b)|bare as (?:can be|ever|possible)
            - (?:bare|uncovered|exposed|undressed) (?:from )?head to (?:toe|foot|heel)|bar(?:e|es|
              ed|ing) everything
            - only (?:a|an|her|his|one) (?:\w+ ){0,2}<cover> on(?= ?[.,;!]| ?$)
            - (?:wet|dripping|cold|free|wild|barefoot|warm|soapy|proud|unashamed|shameless|twerk\w*|
              danc\w*|sunbath\w*|swim\w*|sleep\w*|running|walking|posing)(?: \w+ly)? (?:and )?bare
              (?= ?[.,;!]| ?$| (?:across|through|in|under|before|into)\b)
            - in (?:a|her|his) (?:\w+ )?(?:towel|robe|dress|bikini|swimsuit),? (?:and )?then out of
              (?:it|them)|(?:stands?|standing|left|there|walks?|poses?) in (?:her|his) (?:bare skin|
              own skin|skin)(?= ?[.,;!]| ?$)
            - (?:rear|bottom|buttocks|behind|chest|breasts?|crotch|bust|nipples?)(?: area| part)?
              (?:cutouts?|cut outs?)|cut ?outs? (?:at|over|around|for) (?:the |her |his )?(?:\w+
              )?(?:rear|bottom|buttocks|behind|chest|breasts?|crotch|bust|nipples?)
            - in (?:absolutely |literally |practically )?(?:nothing|little) (?:but|except|save|
              besides|aside from|other than|apart from|more than) (?:a|an|her|his|their|some)(?!(?:
              [\w']+){0,4} (?:<whole>|hurry|rush|moment|minute|dream|mood|second|flash|panic|trance|
              daze)) \w+
            - <dressed> (?:only|just|merely|solely|purely|exclusively) (?:a|an|her|his|their|some|
              two)(?!(?: [\w']+){0,4} <whole>)(?! (?:\w+ )?(?:hint|touch|bit|trace|dab|splash|
              little|dash|few|single|fraction|pinch|subtle|light)(?![^\W_]))(?: [\w']+){1,3}(?=
              ?[.,;!]| ?$| (?:in|on|and|while|as|at|by|under)\b)
            - (?:<dressed>|has on|in) .{0,60}(?:,|and|but) (?:nothing|little|naught|not much|not a
              lot|not a thing|precious little|very little|hardly anything|barely anything|no)
              (?:else|more|other (?:clothes|clothing|garments?))(?= ?[.,;!]| ?$| on\b| at all)
            - (?:<dressed>|has on) .{0,60}, (?:and )?(?:that's|that is|thats) (?:all|it|about it|the
              lot|pretty much (?:it|all))(?= ?[.,;!]| ?$)
            - <dressed> (?!<whole>)(?:(?!<whole>)[\w']+ ){1,3}(?:alone|and no more)(?= ?[.,;!]| ?$)
            - (?:clothes|suit|outfit|dress|garb|costume) of (?:eve|adam|her birth|his birth|bare
              skin|skin)|(?:eve|adam|god|nature)'s (?:own )?(?:clothes|clothing|attire|garments|
              wardrobe|finery)
            - (?:fewer and fewer|less and less|ever fewer) (?:clothes|clothing|garments|fabric)|
              <dressed> (?:fewer and fewer|less and less)|more and more (?:bare )?(?:skin|flesh)
            - (?:all|only|just|pure|nothing but) (?:bare )?(?:skin|flesh),? (?:and )?(?:no|without|
              zero) (?:cloth|fabric|clothes|clothing|garments?|threads?|textiles?)|no (?:drapery|
              draperies|textiles?|garb|togs)(?: at all| on (?:her|him|them))?(?= ?[.,;!]| ?$)|
              (?:adam|eve|eden)\b.{0,60}(?:no|without) (?:\w+ )?lea(?:f|ves)|in the (?:nip|nuddy|
              nick|noddy)(?= ?[.,;!]| ?$| (?:on|at|by|in|with|\w+ing)\b)
            - (?:<dressed>|made of|in) (?:a |only |just )?(?:(?:transparent|clear|see through|
              plastic) )?(?:cling ?film|saran wrap|cling ?wrap|plastic wrap|shrink wrap)
            """
        ),
    ),
    Rule(
        "what is beneath is looked at",
        listed(
            r"""
            - (?:peek|peer|look|glanc|film|zoom|star|gaz|camera|sneak|shoot|shot|see|view|angle|
              glimps)(?:e|es|s|ing|ed)?(?: (?!out\b|from\b)\w+){0,2} (?:up|under|underneath|beneath)
              (?:her|his|their|the|that|this|a) (?:\w+ )?(?:skirts?|dress|kilt|robe|bathrobe|towel|
              blouse|gown|nightgown|bra|panties|underwear|clothes|clothing)(?! (?:rack|rail|shop|
              store|pile|line))
            - (?:peek|peer|look|glanc|film|zoom|star|gaz|camera|sneak|shot|see|view|angle|glimps)
              (?<=\w)(?:e|es|s|ing|ed)?(?: \w+)? down (?:her|his|their) (?:\w+ )?(?:blouse|shirt|
              neckline|top|dress|gown|bodice|bra|pants|trousers)
            - (?:what|how)\b.{0,30} (?:under|beneath|underneath|below) (?:that|this|these|her|his|
              their|the) (?:\w+ )?(?:clothes|clothing|dress|outfit|garments?|kilt|skirt|towel|robe|
              swimsuit|bikini|gown|blouse|lingerie|underwear)
            - (?:body|skin|figure|curves|breasts|nipples|chest|form|flesh|thighs)(?: \w+){0,3}
              (?:shows?|showing|visible|seen|gleams?|shines?|shining|shimmer\w*|glows?|pok\w+|
              appear\w*|revealed|discernible) (?:\w+ )?(?:through|beneath|under|underneath) (?:the |
              her |his |its |a |that )?(?:\w+ )?(?:fabric|cloth|clothes|clothing|dress|shirt|blouse|
              gown|silk|lace|sheet|nightgown|robe|outfit|garments?|top|negligee)
            - x ray (?:filter|mode|effect|lens|app|view|eyes?)(?: [\w']+){0,6} (?:body|skin|clothes|
              clothing|breasts|dress|outfit)
            - (?:sheets?|towel|cloth|fabric|robe|gown|cotton|linen|silk|muslin)(?: [\w']+){0,5}
              (?:turns?|turning|turned|becomes?|becoming|goes|gone|going|is|getting) (?:\w+ly |
              almost |so )?(?:see through|see thru|transparent|translucent)
            - (?:shower\w*|bath(?:ing|tub|es)?|tub|sauna|steam room|hot ?springs?|jacuzzi)\b.{0,40}
              (?:full|whole|entire|her|his|their) (?:\w+ )?(?:body|figure|curves|form) (?:is )?(?:in
              (?:full )?view|visible|on view|on display|seen|exposed)
            - (?:shower\w*|bath(?:ing|tub|es)?|tub|sauna|steam room|hot ?springs?|jacuzzi)\b.{0,40}
              (?:down|over|along) (?:her|his|their) (?:\w+ )?(?:body|curves|breasts|thighs|buttocks)
            - (?:shower\w*|bath(?:ing|tub|es)?|tub|sauna|steam room|hot ?springs?|jacuzzi|locker
              room)\b.{0,60} no towels?(?= ?[.,;!]| ?$| on\b| around\b)
            """
        ),
    ),
    Rule(
        "what becomes of the clothes",
        listed(
            r"""
            - (?:towel|bathrobe|loincloth|bikini (?:bottoms?|top)|swim (?:trunks|shorts)|panties|
              thong|sarong|toga|negligee|bedsheet)(?: (?!and\b|then\b|while\b|as\b|
              when\b)[\w']+){0,5} <loosens>(?! (?:from|off|on|onto|over|across|in|into) (?:the|a|
              its|place|(?:his|her) (?:\w+ )?(?:bag|locker|case))(?![^\W_]))
            - (?:dress|gown|robe|nightgown|bikini|swimsuit|kimono|skirt|bra|lingerie|negligee|slip|
              camisole|corset|nightie)(?: (?!while\b|as\b|when\b|that\b|which\b)[\w']+,?){0,6}?
              (?<=\w) (?:slither|glid|cascad|pool|puddl|crumpl|whisper|swish|(?<!and )(?:slid|slip|
              drop|fall|flutter|sail|tumbl|sink))\w* (?:\w+ )?(?:to|on|onto) the (?:\w+ )?(?:floor|
              ground|tiles|carpet|rug|deck|sand|grass)(?! of (?:the )?(?:shop|store|closet))
            - (?:bikini|swimsuit|lingerie|underwear|panties|bra|nightgown) (?:that |which )?(?:\w+
              )?(?:slips?|slides?|falls?|comes?|flies) off(?! (?:the|a|its) )
            - (?:dress|gown|clothes|clothing|outfit|garments?|bikini|swimsuit)(?: [\w']+|,){0,6}
              (?:burns?|melts?|dissolves?|evaporates?|vanish\w*|disintegrates?|crumbles?|peels?)
              (?:away|off)
            - (?:sheets?|towel|dress|clothes|robe|blanket|covers?|gown|skirt|blouse)\b[^.]{0,60}
              (?:until|till) (?:nothing (?:is |remains |stays )?(?:hidden|covered|concealed|left)|
              everything (?:is |can be |lies )?(?:visible|revealed|exposed|shown|seen|bare))
            - strip\w* (?:the |this |that )?(?:subject|woman|man|person|lady|guy|model|gentleman|
              couple)(?= ?[.,;!]| ?$| (?:of (?:\w+ ){0,2}(?:thread|stitch|garments?|cloth\w*|
              everything|cover\w*)|down|bare|naked|completely|nude|off|to)\b)
            - (?:delet|eras|photoshop|crop|edit|cut|clon|airbrush|paint|mask)\w* (?:out |off |away
              )?(?:her|his|their|the (?:woman|man|person|lady|model|subject)'s) (?:\w+
              )?(?:<garment>|<shirt>)(?= ?[.,;!]| ?$| (?:please|off|away|out|completely|from)\b)
            - (?:mak|turn|get|soak)\w* (?:the|her|his) (?:\w+ )?(?:<garment>|<shirt>) (?:\w+
              )?(?:and )?(?:see through|see thru|transparent|translucent)|(?:wet|soaked|soaking|
              drenched) and (?:see through|see thru|transparent|translucent)
            - (?:lets?|letting) (?:<own>|the) (?:\w+ )?(?:towel|robe|bathrobe|sheet|dress|gown|
              nightgown|kimono|bra|sarong|negligee) (?:go|loose|down|open|fall|drop|slip|slide)(?!
              (?:asleep|on the table))
            - (?:<garment>)(?: [\w',]+){1,9} (?:until|till) (?:it|they|nothing|there) (?:\w+
              )?(?:vanish\w*|disappear\w*|dissolv\w*|gone|nothing|no more|left|remains|melts?|
              evaporat\w*)
            - (?:dress|gown|clothes|clothing|outfit|garments?|robe|bikini|swimsuit|lingerie|skirt|
              underwear|bra)(?: [\w',]+){0,7},? leav\w+ (?:nothing|only (?:\w+ )?(?:skin|body))(?:
              but (?:\w+ )?skin| behind| on)?(?= ?[.,;!]| ?$)
            - (?:dress|gown|clothes|clothing|outfit|garments?|bikini|swimsuit|skirt|shirt|bra) (?:is
              |are |was |that |which |made |entirely |purely )*(?:of|from) (?:smoke|mist|fog|steam|
              air|water|sand|snow|ice|sugar|candy ?floss|shadow|foam|bubbles)(?: [\w',]+){0,4}
              (?:drift|blow|melt|wash|float|dissolv|vanish|disappear|scatter|fad|evaporat|crumbl|
              thaw|pop)\w*
            - (?:clothing|clothes|outfit|attire|garments?|underwear|garb|apparel) ?[:=]? ?(?:absent|
              off|not present|none at all|not included|turned off|disabled|zero|missing|nowhere(?:
              to be seen)?)(?= ?[.,;!]| ?$)
            - (?:bra|dress|towel|robe|shirt|top|skirt|sheet|straps?|gown|blouse|bikini|swimsuit|
              trunks|pants)\b[^.]{0,60},? exposing (?:her|him|them|everything|it all)(?=
              ?[.,;!]| ?$)
            - un ?cloth(?:e|es|ing)|de ?cloth(?:e|es|ed|ing)|(?:forgot|forgotten|forgets?|
              forgetting|neglects?|fails?|failed) to (?:get dressed|dress(?! (?:the|a|an|up|his|her|
              for)\b)|put (?:on )?(?:any |her |his )?(?<= )(?:clothes|anything)|wear (?:any
              )?(?:clothes|anything))|without getting dressed
            - (?:bottom|lower|upper|top) half(?: (?:is|left|being|completely|totally|all|entirely|
              fully))* (?:bare|uncovered|unclothed|exposed|naked|nude|undressed)
            - (?:her|his|their|the) (?:lower|upper) body(?: (?:is|left|being|completely|totally|all|
              entirely|fully))* (?:bare|uncovered|unclothed|exposed|undressed)|(?:bare|uncovered|
              unclothed|exposed) (?:bottom|lower|upper|top) (?:half|body)
            - (?:lies|lying|lay|stands?|standing|stood|sits|sitting|sat|kneels?|kneeling|poses?|
              posing|reclin\w+|rests?|resting|stretch\w*|sprawl\w*) (?:\w+ly |there |half
              )*(?:uncovered|unclothed|unclad|undraped)|(?:as|so|equally) (?:uncovered|unclothed|
              unclad|undressed) as|(?:stands?|sits?|lies) there (?:\w+ly )?exposed
            """
        ),
    ),
    Rule(
        "poses and acts of that kind",
        listed(
            r"""
            - life (?:drawing )?models?(?= ?[.,;!]| ?$| (?:sits|stands|poses|posing|on|for|in|lies|
              holds|holding|reclin\w+|is)\b)|(?:pos\w+|model\w*|sits|sitting|stands) (?:as (?:a|the)
              (?:\w+ )?)?(?<= )(?:for|in|at) (?:a|the|an) (?:\w+ )?(?:life|figure) (?:drawing|
              painting|sculpting)
            - (?:hands?|fingers?) (?:\w+ ){0,3}?(?:between|inside) (?:her|his|their) (?:\w+
              )?(?:thighs?|legs|panties|underwear|pants|bra)(?! pocket)|(?:spread|part|open)(?:s|
              ing)? (?:her|his) (?:\w+ )?thighs
            - (?:mak(?:e|es|ing)|made) (?:\w+ly |passionate |sweet |wild |tender |slow |hot |sensual
              )+love|(?:passionate|wild|steamy|hot) (?:love ?making|night in bed)|(?:getting|gets?)
              it on(?= ?[.,;!]| ?$| with\b)|sexy ?times?|in the throes of (?:passion|ecstasy)|
              (?:sexually )?aroused(?= ?[.,;!]| ?$| (?:in|on) )
            - tidd+ies|bew+bs|booba|tatas|ta tas|(?<!door )(?<!brass )knockers(?! on\b)|hooters|
              honkers|bazongas|fun ?bags|norks|todgers?|nut ?sack|ball ?sack|coochie|cooter|va ?jay
              ? jay|punani|poon ?tang|twat|booty ?hole
            - cfnm|joi|milfs?|dilfs?|thots?|cam ?whore|fap(?:s|ping|ped)?|gone ?wild selfie|wank\w*|
              (?:jerk|jack)(?:s|ing)? off|finger(?:s|ing) (?:her|him)self|go(?:es|ing)? down on
              (?:her|him)|bukkake|creampie|deep ?throat\w*|sexx+y?|sexting
            - (?:sensual|erotic|nuru|tantric|happy ending) (?:\w+ )?massage(?! (?:oil|course|school|
              music))|(?:steamy|racy|risque|saucy) (?:\w+ )?(?:shower|bedroom|bed|bathtub|sauna)
              (?:scene|clip|video|shot|selfie)
            """
        ),
    ),
)
