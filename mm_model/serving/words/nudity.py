"""What counts as asking for nudity or sex, in English: a rule for each way of saying it, with why.

Undressing, wearing nothing or only what does not cover, underwear as all that is worn, cloth that
one sees through. A man without a shirt is none of it.
"""

from mm_model.serving.words.rules import Rule, listed, words

RULES = (
    Rule(
        "says it",
        listed(
            r"""
            - n+u+d+e+s?|\w*naked\w*|n+a+k+e+d+|nude(?:woman|man|girl|lady|body|pics?|photos?|
              selfies?)|(?:woman|man|girl|lady|body|guy)nude|nud(?:ed|ie|ies|ity|ist|ists|ism|ey|
              ely|eness)|nuds?|noo+(?:d|de)s?|noody|nk+d|nekd
            - nak(?:ed|d|edness|edly|id|ey|eds|ked|ied|edd)|nek+[ie]d|naekd|nakde|nkaed
            - top ?less?(?:ly|ness)?|top ?free|bottom ?less(?:ly)?|tops optional
            - un ?(?:clothed|clad|robed|dressed)|un ?dress(?:es|ing|ed|y)?|dis ?rob(?:e|es|ed|ing)|
              de ?robed?|undrapes?|ungarbed|unattired|undraped|undresed|undressd
            - (?:pants?|trouser|bra|panty|panties|knicker|underwear|clothes|clothing|cloth|garment|
              dress|skirt|swimsuit|bikini) ?(?:less|free)(?:ly|ness)?
            - sky ?clad|naturis[tm]s?|starkers|au natur(?:el|al|ale)|in (?:the|her|his|their)
              (?:buff|altogether|nuddy)|(?:eve|adam)'?s? (?:costume|suit|garb|attire|outfit)|in the
              raw(?= ?[.,;!]| ?$| on| at| by| with| in)|(?:birth ?day|birth) suits?|(?:her|his|
              their) birthday (?:attire|clothes)|skinny ?dip\w*|full frontal|invisible (?:clothes|
              clothing|outfit|dress|garments?|suit|swimsuit|bikini|underwear)|full monty|let(?:s|
              ting)? it all hang out|what (?:god|nature|the lord) gave (?:her|him|them)|(?:garb|
              raiment|attire)less|(?:bare|nude) as (?:a|an|the) \w+|compromising position|buff
              naked|(?:go|goes|going|gone|went) commando(?! style)|free the nipple|stitch ?less|
              starkly bare|clothing optional|clothes optional|state of (?:un|partial un)dress|state
              of nature|soft ?core|hard ?core (?:scene|porn|sex|action|adult|video)|(?:nip|
              nipple) ?slips?|up ?skirts?|down ?blouse|side ?boob|under ?boob|camel ?toes?|wardrobe
              malfunction|strip poker|scantily (?:clad|dressed|clothed)|deep ?nudes?|nudif\w+|
              clothes? remov(?:er|al)|deep ?fake porn|lady godiva|page (?:3|three) girl|streakers?|
              (?:woman|man|person|guy|lady|he|she) streak(?:s|ing) (?:through|across|around|past|
              over)|a flasher|barely (?:clothed|clad|dressed|covered)|half (?:clothed|clad|dressed)
            """
        ),
    ),
    Rule(
        "bare where clothes belong",
        listed(
            r"""
            - (?:bare|bared|bares|baring|uncovered|exposed|unveiled) ?<intimate>(?:ed|s)?
            - bare (?:skin|skinned|flesh)(?! (?:of|on) (?:her|his|their|the) (?:\w+ )?(?:arms?|
              hands?|neck|face|shoulders?|wrists?|legs?|feet|cheeks?|forehead))
            - bar(?:e|es|ed|ing) (?:it )?all|bar(?:es|ed|ing) (?:<own>) <w><intimate>
            - (?:her|his|their|entire|whole) (?:\w+ )?(?:body|breasts?|bosom|bottom|buttocks|
              nipples?|flesh|curves|skin)(?: (?:is|are|was|were|left|completely|totally|fully|
              entirely|all|now|lies|being|on))* (?:bare|bared|exposed|uncovered|display|show|
              unveiled|revealed)
            - <full> (?:bare|uncovered|exposed|unveiled|stripped|revealed|disrobed)
            - bare (?:woman|man|person|lady|guy|girl|boy|human|figure|model|couple)s?(?! hand)
            - (?:woman|man|person|lady|guy|she|he|they)(?![^\W_])[^.;]{0,60}, bare(?= ?[.,;!]| ?$)
            - nothing (?:touch\w*|against|next to|on) <own> (?:\w+ )?(?:skin|body)
            - (?:bare|uncovered|exposed|undressed|stripped|nothing|revealed) (?:on )?(?:from|above|
              below|to) the (?:waist|hips?|navel|belly)|(?:from|above|below) the waist (?:up|down|
              upwards?|downwards?)?,? ?(?:\w+ ){0,2}(?:bare|uncovered|exposed|undressed)
            - (?:what|how).{0,30} (?:under|beneath|underneath) (?:her|his|their|those) (?:clothes|
              clothing|dress|outfit|garments)|(?:she|he|they|woman|man|person|body|lady|guy|
              gentleman|all) (?:is |are |was |stands |stood |lies |sits |left |kneels |dances |
              poses )+(?:\w+ly |all |left )?bare(?! (?:hand|foot|head|knuckl|arm|faced|leg|shoulder|
              back))|(?:reveal|show|flash|display|expos|unveil|uncover|flaunt|present|bar)(?:s|es|
              ed|ing|e)? (?:off )?(?:us )?(?:<own>) <w><intimate>
            - expos(?:es|ed|ing|e) (?:her|him|them)sel(?:f|ves)|leav(?:es|ing|e) (?:her|him|them|the
              \w+) (?:\w+ )?(?:exposed|bare|uncovered|undressed)
            - flash(?:es|ing|ed) (?:the |a |some )?(?:crowd|camera|audience|passers ?by|onlookers|
              viewers?|strangers?|public|everyone|us|people)(?! (?:a|an|with|\w+ (?:smile|grin))\b)
            - show(?:s|ing)? (?:off )?(?:a lot of|lots of|too much|plenty of|more|so much|all her|
              some) skin|(?:not|never|un|hardly) ?covered by anything|every (?:curve|part|
              detail)(?: of (?:her|his|their) \w+)? (?:on (?:view|show|display)|visible|exposed|
              revealed|uncovered)|(?:body|curves?|flesh|skin) (?:is |fully |completely )*on (?:view|
              show|display)|every inch of (?:her |his |their |him |the \w+ )?(?:\w+ )?(?:skin|body|
              flesh|exposed|bare|visible|uncovered|revealed|on (?:show|display))|flesh on (?:show|
              display)
            - (?:leav\w+ )?(?:little|nothing) (?:is left )?to the imagination
            - revealing (?:(?:\w+ )?(?:outfit|clothes|clothing|dress|top|garment|attire|lingerie|
              everything|all)|it all)|reveals? (?:it all|everything)
            """
        ),
    ),
    Rule(
        "bare where clothes belong, unless it is a man's chest",
        listed(
            r"""
            - shirt ?less(?:ly)?|(?:bare|bared|exposed|uncovered) ?(?:chest|chested|torso)|(?:chest|
              torso)(?: (?:is|fully|completely|all))* (?:bare|bared|exposed|uncovered)|(?:bares?|
              baring|bared|expos\w+|reveal\w*|show\w*|flash\w*) (?:<own>) <w>(?:chest|torso)
            - (?:without|no|minus|sans|lacking) (?:a |any |her |his |their )?<shirt>(?: on)?
              (?! (?:hat|of|pocket|button|tier|floor|secret))|(?:isn't|not|aren't|wasn't|never)
              wearing (?:a|any) <shirt>|<shirt> (?:is |has been |was |being )*(?:removed|gone|
              missing|discarded|torn off|ripped off|taken off|taken away)
            - (?:<off>) off <her> <w>(?:shirt|t ?shirt|tshirt|undershirt|vest|top)(?! hat)|(?:<off>)
              <own> <w><shirt> (?:off|over (?:<own>) head)|(?:<shed>|opens?|opening|lifts?|lifting|
              raises?|hikes?) (?:up )?<own> <w><shirt>(?! (?:cuffs?|collar|sleeves?|pocket))|<shirt>
              (?:(?:comes|coming) off|off(?= ?[.,;!]| ?$| and| in| on a| while| as))|<shirt>
              (?:pulled|lifted|raised|rolled|hiked|pushed) (?:down|up|aside|open|off)|
              <shirt>(?: (?:is|hangs?|falls?|hanging|wide|fully|completely|left|all))* (?:open|
              unbuttoned|undone|unfastened|untied|unzipped)
            - (?:undo\w*|unbutton\w*|open\w*) (?:the |all |every )?(?:\w+ )?(?:buttons?|zip(?:per)?|
              laces) (?:of|on) (?:<own>) <w><shirt>
            """
        ),
        of_men_too=False,
    ),
    Rule(
        "wears nothing",
        listed(
            r"""
            - (?:<worn>|donning|dons|
              in)(?: in| by| with)?(?: absolutely| literally| practically| basically| almost| next
              to| virtually| quite| exactly| simply| precisely)* (?:nothing?'?|nuthing?|nuttin|nada|
              zilch|naught|zero)(?: at all)?(?= ?[.,;!]| ?$| (?:at all|but|except|other|more|
              beneath|under\w*|whatsoever|on|besides|apart|save|to|over|else|and|as|while|in|
              whatever|above|below))
            - nothing on(?= ?[.,;!]| ?$)|(?<!has )(?<!have )(?:with|having|and|wearing|has|have|had)
              (?:absolutely )?nothing on(?! (?:the|tv|top|it|you|me|them|a|this|that))
            - with (?:absolutely )?nothing (?:to cover|covering|concealing|hiding|to conceal|to
              hide|between) (?:her|his|their|the)? ?\w*
            - nothing (?:at all |else |on )?(?:under|underneath|beneath|below)(?: (?:it|them|that)
              (?= ?[.,]| ?$)| (?:her|his|their|the|that|a|an) <w>(?:coat|trench ?coat|raincoat|
              jacket|robe|bathrobe|dress|shirt|t ?shirt|apron|skirt|kilt|sweater|clothes|gown|towel|
              sheet|sheets|overalls|blazer|cape|fur|blouse|jeans|kimono|cloak|
              covers?)|(?= ?[.,]| ?$))
            - (?:has|have|had|with) no(?:thing|t a stitch)(?: at all)? (?:on|to wear) (?:<own>) body
            - (?:not|nary|hardly|barely|scarcely|without|no) (?:a|one|even a|so much as a)
              (?:single )?(?:stitch|thread|scrap|shred|fig leaf)(?! in time)
            - (?:forgot|forgets?|forgetting|refus\w+|neglect\w*|without|never|not|didn't)
              (?:to )?(?:put(?:ting)?|wear(?:ing)?|get(?:ting)?) (?:on )?(?:any |her |his |their |
              some |a )?(?:clothes|clothing|dressed|underwear|pants|anything on)|(?:not|isn't|
              wasn't|never) dressed(?! (?:for|as|up|like|in|warmly|to|appropriately|formally|well))|
              nothing (?:covers|covering|clothes|clothing) (?:her|him|them|the \w+)|(?:as|for) <own>
              only (?:clothing|clothes|covering|garment|attire|outfit)|<own> only (?:clothing|
              garment|attire|covering) (?:is|being)|(?:isn't|not|never|without|aren't|wasn't)
              (?:wearing|wear|being dressed in) (?:anything|a (?:thing|stitch)|any(?:thing)?
              (?= ?[.,]| ?$)|clothes|one single)
            - (?:without|with no|not) (?:having )?(?:anything|a thing|a stitch) on
            - until (?:she|he|they|there)(?:'s| is| are| has| have| stands?| wears?)*
              (?:left )?nothing (?:left|remains|on)?|until nothing (?:is left|remains)
            - (?:<worn>) (?:in |with |by )?(?:her |his |their |the |
              a )?(?:own )?(?:bare )?(?:emperor'?s new clothes|sunlight|moonlight|sunshine|
              starlight|candlelight|shadows?|thin air|air|bubbles|foam|body ?paint|whipped cream|
              skin|birthday|suds|soap|fig leaf|fig leaves|goosebumps)
            - (?:in|with) (?:all )?(?:<own>) (?:\w+ )?(?:natural|naked|unclothed|bare) (?:state|
              glory|form|beauty exposed)|in (?:nature's|her own|his own) (?:garb|attire|clothes)|in
              nothing$|nature'?s (?:outfit|garb|own attire)|as nature (?:intended|made|created|
              clothed)|(?:as|the way|how) (?:god|nature|the lord|her mother|his mother|mother
              nature) (?:made|intended|created|brought|bore)|(?:as|like|the way|how|the
              day)(?: on)?(?: the day| when| the moment| the hour)? ?(?:she|he|they) (?:was|were|
              came|entered) (?:born|into (?:the|this) world)|like (?:a newborn|adam|eve)(?: and
              eve)?(?: before| in| without)|(?:dressed|clothed|clad|attired) (?:like|as) (?:adam|
              eve)(?= ?[.,;!]| ?$| in (?:paradise|eden|the garden))
            """
        ),
    ),
    Rule(
        "has no clothes on",
        listed(
            r"""
            - (?:no|without|w o|w out|wo|w0|sans|minus|zero|lacks?|lacking|devoid of|free of|free
              from|bereft of|bare of|stripped of|divested of|rid of|relieved of|deprived of|not
              wearing|not have|isn't wearing|aren't wearing|wasn't wearing|nor|absence of|out of|
              missing|has lost|not in|not a|not any|refuses to wear|hasn't|with none of)(?: (?:any|
              a|an|her|his|their|the|all|single|scrap|stitch|piece|shred|bit|item|thread|trace|inch|
              of|visible|actual|real|such|kind|sort|type|article|protective|usual|or|clothes|
              clothing|shirt|wearing|shoes,?|pants,?|dress|even|wet)){0,6} <cloth>(?! (?:in (?:the|
              a|her|his|their|my) (?:\w+ )?(?:closet|wardrobe|suitcase|drawer|bag|shop|store|wash|
              dryer|basket|hamper|laundry|dresser|box|trunk)|hang\w*|left|for|line|rack|hanger|
              store|dryer|washing|code|sense|rehearsal|shoes|shirt|hat|brand|shop|hamper|softener|
              iron\w*|on (?:the|a) (?:line|rack|hanger|hook|shel\w+|bed|chair|floor|hangers)|drawer|
              pockets?|leg|to (?:wash|fold|iron|wear|pack)|fit\w*|budget|shopping))
            - (?:clothes|clothing|garments|dress|lingerie|underwear|panties|bra|pants|trousers|robe|
              towel|everything|swimsuit|bikini(?: top| bottoms?)?|(?:her|his) top)(?: (?:is|are|has|
              have|come|comes|coming|been|all|being|magically|digitally|were|was|get|gets|getting))*
              (?:off|removed|gone|missing|discarded|shed|taken off|pulled off|peeled off|cut (?:off|
              away)|taken away|erased|deleted|edited (?:out|away)|photoshopped (?:out|off|away)|
              airbrushed (?:out|away)|invisible|torn (?:off|away|open)|ripped (?:off|away|open)|
              stripped (?:off|away)|stolen|vanish\w*|disappear\w*|dissolv\w*|melt\w* away|
              evaporat\w*)(?! (?:the|a) (?:rack|hanger|line|shelf|hook|bed))(?! of)
            - (?<!up )(?<!folds )(?<!folding )(?<!washes )(?<!gathers )(?<!irons )(?:<own>)
              (?:\w+ )?(?:clothes|clothing|garments|dress|lingerie|underwear|panties)(?: (?:are|is|
              lie|lies|lying|left|all|now|scattered|strewn|piled|discarded|abandoned|crumpled|
              dropped|tossed|flung|thrown|forgotten|in))* (?:in a (?:heap|pile)|on the (?:floor|
              ground|sand|shore|rocks|riverbank)|at (?:<own>) feet|around (?:<own>) (?:feet|ankles))
            """
        ),
    ),
    Rule(
        "takes clothes off",
        listed(
            r"""
            - (?:<off>) off <her> <w><garment>(?! (?:rack|hanger|line|shelf|hook|label|tag))
            - (?:drop|remov|tak|shed|los|cast|discard|peel|strip|toss|throw|
              without)\w*(?: [\w']+){0,4} (?:each|every|all|last|single|one|any) (?:\w+ )?(?:items?|
              pieces?|articles?|layers?|scraps?|bits?) of (?:\w+ )?(?:clothing|clothes)
            - (?:pull|lift|draw|drag|tug|slip)\w* <own> <w>(?:dress|gown|nightgown|nightie) (?:up |
              off )*over <own> head
            - (?:<garment>) until (?:it|they) (?:<fall>)
            - (?:dress|skirt|gown|robe|nightgown|pants|trousers|shorts|jeans|bra|bikini|swimsuit|
              kilt) (?:pulled|lifted|raised|hiked|pushed) (?:up|down|aside|open|off)(?! to the knee)
            - (?:gown|dress|robe|kimono|clothes|garments|towel|skirt|nightgown|
              underwear)(?: [\w']+){0,4} (?:in a (?:\w+ )?(?:puddle|pool|heap|pile)(?: of \w+)?|
              around|at) (?:at |around )?<own> (?:feet|ankles)
            - (?:eras\w+|delet\w+|remov\w+|strip\w*|tak\w+|edit\w* out|photoshop\w* (?:out|away)|get
              rid of|eliminat\w+) (?:\w+ )?(?:the |all |any |all the )?(?:clothes|clothing|outfit|
              garments|dress|bikini|swimsuit|underwear|bra|lingerie|shirt|top|blouse) (?:of|from|on|
              off) (?:the |this |that |a )?(?:woman|man|person|lady|guy|girl|boy|subject|model|
              photo|picture|her|him|body)
            - (?:dispos\w+ of|g[eo]t(?:s|ting)? rid of|part\w* with|abandon\w*|jettison\w*|free\w*
              (?:her|him)self (?:of|from)) <own> <w><garment>
            - (?:towel|sheet|bathrobe) (?:that |which |slowly |suddenly |accidentally |is |
              starts? )*(?:<fall>)(?! (?:from the (?:rack|hook|rail|line)|in(?:to)? the|off the
              (?:rack|hook|rail|line)|over))
            - (?:removing|removes?|sheds?|shedding|discard\w*|losing|taking off|takes? off|took off|
              peel\w* off|pull\w* off) (?:clothes|clothing|garments|underwear|lingerie|bra|pants)
              (?! (?:from|off) (?:the|a) )|off (?:all|everything|whatever|what|anything)(?: that)?
              (?:she|he|they)(?:'s| is| was| has| had)? (?:wear\w*|has on|had on|on|wore)|(?:fling|
              toss|throw|hurl|threw|flung)\w* (?:away |aside )?<own> <w>(?:bra|panties|underwear|
              thong|lingerie|bikini(?: top)?|top|corset|boxers|briefs) (?:into|at|to|aside|away|
              over|on|across|behind)|(?:pants|trousers|jeans|underwear|boxers|shorts|panties|
              skirt)(?: (?:is|are|pulled|half|way|all the way))* (?:down
              (?= ?[.,;!]| ?$| show\w*| and| in)|around <own> (?:ankles|knees))|(?:robe|bathrobe|
              dress|bra|kimono|blouse|bodice|nightgown|gown)(?: (?:is|hangs?|falls?|hanging|wide|
              fully|completely|left|all))* (?:open|unbuttoned|undone|unfastened|untied|unzipped)
              (?! (?:shop|market|sale))|(?:<off>) off (?:everything|her things|his things|it all|the
              lot|(?:every|each|all|the last|her last|his last) (?:\w+ ){0,3}(?:layers?|pieces?|
              items?|articles?|stitch|things?|bit))
            - (?:<off>) <own> <w><garment> (?:right |all |slowly )?off
            - (?:<shed>) (?:(?:every|all|each|the last|her last|his last) (?:\w+ ){0,3}(?:layers?|
              pieces?|items?|articles?|bit|scrap) of (?:\w+ )?(?:clothing|clothes|fabric|cloth|
              underwear|apparel)|(?:every|all|each|the last|her last|his last)
              (?:\w+ ){0,2}(?:stitch|garments?)|(?:her|his|their) last (?:layers?|pieces?|items?|
              articles?|bit))|(?:<shed>) (?:<own>|<her>) <w><garment>(?! (?:cuffs?|collar|sleeves?|
              pockets?|label|tag|rack|hanger|hem|prices?|bag|box))
            - (?:drop|drops|dropping|dropped|opens?|opening) (?:(?:<own>) <w><loose>|(?:the|a)
              (?:robe|bathrobe|towel|nightgown|negligee|kimono))(?! (?:off|on the bed|in the|into|
              bag|shop))
            - (?:pull\w*|yank\w*|tug\w*|push\w*|slid\w*|roll\w*|eas\w+|work\w*|wriggl\w+|drag\w*|
              hik\w+|peel\w*|strip\w*|shimm\w*)(?: (?:down|up|aside|open))? (?:<own>) <w><garment>
              (?:down|aside|open)|(?:pull\w*|yank\w*|tug\w*|push\w*|slid\w*|roll\w*|eas\w+|work\w*)
              (?:down|aside|open) (?:<own>) <w><garment>
            - (?:lift|lifts|lifting|hike|hikes|hiking|hitches|raise|raises|raising|flips?)
              (?:up )?(?:<own>) <w>(?:skirt|dress|gown|nightgown|kilt|blouse)(?! (?:hem|slightly|a
              little|to (?:step|climb|walk|cross|avoid|curtsy|wade|run)|as|out of|and (?:curts\w+|
              runs|walks)))
            - (?:step|steps|stepping|stepped|slip|slips|slipping|slipped|slid|wriggl\w+|wiggl\w+|
              shimm\w+|squirm\w*|climb|climbs|climbing|get|gets|getting|peels?|peeling|slinks|
              eas\w+) (?:herself |himself )?out of (?:(?:<own>|the) <w>(?:<garment>|<shirt>)|
              everything|clothes)
            - lets? (?:her|his|their|the|it) (?:<w>(?:<loose>|<shirt>) )?(?:<fall>)(?! (?:asleep|
              silent|in love|out of))(?: (?:off|down|open|away|to|from|around|at|onto|$))|letting
              (?:her|his|their|the) <w>(?:<loose>|<shirt>) (?:<fall>)|(?:robe|towel|bathrobe|
              clothes|garments|lingerie|nightgown|sheet|panties|bra|negligee|kimono|underwear)
              (?:<fall>|comes|coming) (?:\w+ )?(?:off|open|away|to the|from (?:her|his)|to (?:her|
              his)|down|around)|(?:dress|gown|skirt|blouse|trousers|pants) (?:slips?|slipping|
              slides?|sliding|drops?|dropping|pools?|pooling|comes|coming) (?:\w+ )?(?:off|open|
              away|to the|from (?:her|his)|down|around|to (?:her|his))
            - (?:undo\w*|unbutton\w*|open\w*|unfasten\w*|unhook\w*) (?:the |all |
              every )?(?:\w+ )?(?:buttons?|zip(?:per)?|laces|straps?|hooks?|clasps?) (?:of|on)
              (?:<own>) <w>(?:dress|bra|bodice|corset|pants|trousers|jeans|skirt|gown|bikini)
            - strips?(?= ?[.,;!]| ?$)|(?:she|he|they|woman|man|person|and|then|slowly|lady|guy|to|
              who|dancer|model|performer|artist|actress|escort|hooker|,) (?:\w+ly )?strip(?:s|ped|
              ping)?(?= ?[.,;!]| ?$| (?:in|inside|near|under|behind|for|on|by|before|at|while|as|
              beside|until|seductive\w*|slow\w*|and))|strip(?:s|ped|ping|)(?: (?:all|right|slowly|
              completely|herself|himself|themselves|entirely))* (?:down|bare|naked|off(?! (?:the|her
              (?:gloves|coat|jacket)|his (?:gloves|coat|jacket)))|to (?:the|her|his|their|nothing|
              skin)|out of|for the)|stripped(?= ?[.,;!]| ?$)
            """
        ),
    ),
    Rule(
        "wears only what does not cover",
        listed(
            r"""
            - (?:<worn>)(?: (?:in|by|with))? (?:<only>)(?: (?:in|by|with))? (?:a |an |the |her |
              his |their |some |two |three |one )?<w>(?:<cover>|<undies>)
            - (?:<only>) (?:wear\w*|dressed in|clad in|covered by|covered with|covered in|wrapped
              in|draped in) (?:a |an |the |her |his |their |some |two |three )?<w>(?:<cover>|
              <undies>)
            - (?<!\w )in (?:<only>) (?:a |an |the |her |his |their |some |two )?<w>(?:<cover>|
              <undies>)
            - in (?:<only>) (?:a |an |the |her |his |their |some )?<w>(?:towel|sheet|apron|socks|
              smile|heels|boots|hat|scarf|jewel\w+|stockings|<undies>)|with nothing but (?:a |an |
              the |her |his )?<w>(?:boa|towel|sheet|bedsheet|apron|pearls|feathers?|fan|fig leaf)|
              with (?:<only>) (?:a |an |the |her |his )?<w>(?:towel|sheet|leaf|leaves|hands|bubbles|
              undies|blanket) (?:covering|to cover|around|for|on|over|hiding|as)
            - (?:only|just) (?:a|an|her|his|the) <w>(?:towel|sheet|bedsheet|fig leaf|apron|thong|
              smile) (?:around|wrapped|covering|on|to cover|draped|and)
            - (?:cover\w*|hid\w*|shield\w*|conceal\w*|drap\w*|wrap\w*|cloth\w*|dress\w*) (?:her|him|
              them)sel(?:f|ves) (?:\w+ )?(?:with|in|by) (?:<only>) (?:a |an |the |her |his |their |
              some )?<w>(?:<cover>)
            - (?:wear\w*|dressed in|clad in|in) .{0,40} and nothing (?:else|more)(?= ?[.,;!]| ?$)
            - made of nothing|nothing (?:at all )?(?:for|as) (?:a|an|her|his) (?:dress|outfit|
              costume|suit)
            - (?:cover\w*|hid\w*|shield\w*|conceal\w*|protect\w*|preserv\w*) (?:<own>)
              (?:own )?<w>(?:breasts?|boobs|nipples?|privates|crotch|nudity|modesty|groin|genitals|
              private parts)|(?:hair|hands?|arms?|petals|leaves|bubbles|towel|sheet)
              (?:strategically|barely|just about)
            - covered strategically|strategically (?:placed|positioned|covered|covering)|fig
              lea(?:f|ves)
            - (?:clothing|clothes|outfit|attire|garments|dress|wearing|underwear|
              garb) ?[:=]? ?(?:none|nothing|n a|zero|nil|null|removed)(?= ?[.,;!]| ?$)
            - (?:only|nothing but|just) <w>(?:paint|glitter|oil|mud|foam|bubbles|water|sunlight|
              moonlight) on <own> (?:\w+ )?(?:skin|body)
            - instead of (?:clothes|clothing|garments|underwear|a bra)
            - (?:peeled|stripped) (?:down )?to (?:nothing|bare|the (?:skin|buff))
            - (?:wrapped|clothed|clad|dressed|draped|attired) (?:only|solely|just|merely|purely)
              (?:in|by|with)
            - (?:only|nothing but|just) (?:a|an|the|her|his) \w+(?: \w+)? (?:cover\w*|hid\w*|
              conceal\w*|shield\w*) <own> (?:body|chest|torso|front|breasts|privates|modesty|
              nakedness|groin)
            - body ?paint(?:ed)? (?:only|and nothing|instead of|as)|(?:wears?|wearing) body ?paint
            """
        ),
    ),
    Rule(
        "underwear is what is worn",
        listed(
            r"""
            - (?:in|wear|wears|wearing|wore|dressed in|clad in|modell?ing|models?|sporting|down to|
              stripp\w* to|strips? to|dons|donning)(?: (?:only|just|nothing but|her|his|their|a|an|
              some|matching|the|pair of|of))* <w><undies>(?! (?:shop|store|ad|advert\w*|section|
              department|aisle|boutique|drawer|designer|catalog\w*|factory|brand|sign|the|about|
              over|on top of|billboard|campaign))
            - (?:show\w*|flash\w*|reveal\w*|expos\w*|visible|display\w*) (?:off )?(?:<own>)
              <w><undies>|(?:lingerie|underwear|boudoir) (?:models?|shoots?|photo ?shoots?|photos?|
              photography|session|pose|poses|selfie|pictures?|portrait|clad)
            - <undies> clad|clad <undies>|(?:undie|towel|panty|thong) clad|down to
              (?:<own> )?(?:\w+ )?(?:pasties|tassels)|(?:wearing|in|only) (?:\w+ )?pasties|assless|
              crotchless|cheekless|<undies> (?:only|and nothing)
            """
        ),
    ),
    Rule(
        "cloth that one sees through",
        listed(
            r"""
            - <sheer> <w>(?:dress|blouse|shirt|t ?shirt|tshirt|top|nightgown|nightie|nightdress|
              negligee|gown|robe|skirt|clothes|clothing|outfit|lingerie|bodysuit|garments?|leotard|
              swimsuit|bikini|lace|underwear|bra|pants|leggings|catsuit|tunic|fabric|panties|slip|
              kimono|chemise|attire)
            - (?:dress|blouse|shirt|top|clothes|outfit|gown|fabric|nightgown|robe|bikini|swimsuit|
              skirt|garments?)(?: (?:that|which|is|are|it's|goes|gone|has|turned|turns|becomes?|
              becoming|so|almost|completely|totally|nearly|made|of))* (?:see through|see thru|
              transparent|sheer|translucent)
            - x ray (?:glasses|specs|goggles|vision)|(?:dress|clothing|clothes|outfit|garments?|
              suit|top|skirt|gown) (?:\w+ ){0,2}(?:made|sewn|woven) (?:entirely |only )?(?:of|from|
              out of) (?:\w+ )?(?:transparent|clear|see through|cling|glass|saran)|wet
              (?:white )?t ?shirt (?:contest|competition)|(?:wet|soaked|drenched)
              (?:\w+ ){0,2}(?:shirt|t ?shirt|dress|blouse|top) (?:cling\w*|stick\w*|reveal\w*|
              show\w*)
            - (?:models?|modell?ing|in|dons?|sports?) (?:the )?emperor'?s new clothes
            - (?:see\w*|visible|show\w*|look\w*|vision|x ray\w*)(?: [\w']+){0,3} through (?:<own>)
              <w>(?:clothes|clothing|dress|blouse|shirt|top|garments|outfit|skirt)
            """
        ),
    ),
)

WORDS = words(
    "naked nude nudes nudity topless undress undressed undressing unclothed porn porno nipple "
    "nipples breasts boobs tits penis vagina pussy genitals striptease lingerie nsfw hentai "
    "erotic"
)
"""What is looked for in words whose letters are hidden or apart."""

SPLIT = words("naked nude nudity topless undressed unclothed nipples genitals")
"""What is looked for in two words read as one."""
