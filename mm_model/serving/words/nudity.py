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
              selfies?)|(?:woman|man|girl|lady|body|guy)nude|nud(?:ed|ez|ing|ie|ies|ity|ist|ists|ism|ey|
              ely|eness)|nuds?|noo+(?:d|de)s?|noody|nk+d
            - nak(?:edness|edly|ey|eds|ied)|nek+[ie]d
            - top ?less?(?:ly|ness)?|top ?free|bottom ?less(?:ly)?|tops optional
            - un ?(?:clothed|clad|robed|dressed)|un ?dress(?:es|ing|ed|y)?|dis ?rob(?:e|es|ed|ing)|
              de ?robed?|undrapes?|ungarbed|unattired|undraped
            - (?:pants?|trouser|bra|panty|panties|knicker|underwear|clothes|clothing|cloth|garment|
              dress|skirt|swimsuit|bikini) ?(?:less|free)(?:ly|ness)?
            - sky ?clad|naturis[tm]s?|starkers|au natur(?:el|al|ale)|in (?:the|her|his|their)
              (?:buff|altogether|nuddy)|(?:eve|adam)'?s? (?:costume|suit|garb|attire|outfit)|in the
              raw(?= ?[.,;!]| ?$| on| at| by| with| in)|(?:birth ?day|birth) suit(?:s|ed)?|(?:her|
              his|their) birthday (?:attire|clothes)|skinny ?dip\w*|full frontal|invisible
              (?:clothes|clothing|outfit|dress|garments?|suit|swimsuit|bikini|underwear)|full monty|
              let(?:s|ting)? it all hang out|what (?:god|nature|the lord) gave (?:her|him|them)|
              (?:garb|raiment|attire)less|(?:bare|nude) as (?:a|an|the) \w+|compromising position|
              buff naked|(?:go|goes|going|gone|went) commando(?! style)|free the nipple|
              stitch ?less|starkly bare|clothing optional|clothes optional|state of (?:un|partial
              un)dress|state of nature|soft ?core|hard ?core (?:scene|porn|sex|action|adult|video)|
              (?:nip|nipple) ?slips?|up ?skirts?|down ?blouse|side ?boob|under ?boob|camel ?toes?|
              (?:wardrobe|swimsuit|bikini|dress|costume) malfunction|strip poker|scantily (?:clad|
              dressed|clothed)|deep ?nudes?|nudif\w+|(?:clothes?|clothing|garment|outfit)
              remov(?:er|al)|wardrobe (?:gone|removed|none|turn\w+ (?:to|into) glass)|deep ?fake
              porn|godiva(?! (?:chocolat\w*|shop|box))|(?:birth of venus|botticelli'?s? venus|
              titian'?s? venus),? (?:come|comes|coming|brought) (?:to life|alive)|(?:as|like)
              (?:botticelli'?s?|the birth of|titian'?s?) venus|kit off(?! (?:to|in)\b)|page (?:3|
              three) girl|streakers?|(?:woman|man|person|guy|lady|he|she) streak(?:s|ing)
              (?:through|across|around|past|over)|a flasher|streak(?:s|ing) (?:\w+ )?(?:across|
              through|onto) (?:the|a) (?:\w+ )?(?:pitch|stadium|court|campus|quad|game|match)|barely
              (?:clothed|clad|dressed|covered)|half (?:clothed|clad|dressed)
            """
        ),
    ),
    Rule(
        "bare where clothes belong",
        listed(
            r"""
            - (?:bare|bared|bares|baring|uncovered|exposed|unveiled) ?<intimate>(?:ed|s)?
            - (?:bare|bared|exposed|uncovered|unclad) (?:form|figure|silhouette|curves|loins|torso
              and legs)|(?:ass|booty|butt|bum|boobs|cheeks|nips) (?:out|hanging out)(?= ?[.,;!]| ?$)
            - everything (?:is )?(?:visible|on (?:show|display)|showing|exposed|hanging out)
              (?= ?[.,;!]| ?$)|see (?:all|every inch|every bit|the whole) of (?:her|him|them)
              (?= ?[.,;!]| ?$)
            - (?:<intimate>),? (?:all |completely )?bare(?= ?[.,;!]| ?$)|(?:both|all|each|lovers|
              pair|couple)(?: are| is| completely)* bare(?= ?[.,;!]| ?$)|(?:she|he|they|woman|man|
              person|lady|guy|model) (?:stands?|lies|sits|is|poses|kneels|is left)
              (?:\w+ly )?(?:uncovered|unveiled|exposed)(?= ?[.,;!]| ?$| before| in front)
            - (?:leave|leaving|leaves|with|keep) nothing on (?:her|him|them|the (?:woman|man|person|
              lady|guy|model|subject))(?= ?[.,;!]| ?$)|more skin(?= ?[.,;!]| ?$)|(?:less|fewer)
              (?:clothes|clothing)(?= ?[,.]| ?$| on (?:her|him|them))
            - (?:woman|man|she|he|goddess|nymph|lady|person|figure|couple)(?: \w+){0,4},
              (?:uncovered|unclad|unveiled)(?= ?[.,;!]| ?$)
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
            - (?:she's|he's|they're) (?:\w+ly |all )?bare(?! (?:hand|foot|head|knuckl|arm|faced|leg|
              shoulder|back))|(?:without|minus|sans|no) (?:the|his|her|fig|the fig|his fig|her fig)
              leaf(?= ?[.,;!]| ?$)|(?:breasts?|boobs?|everything|it all) (?:pops?|spills?|falls?|
              hangs?) out(?= ?[.,;!]| ?$| of <own> (?:\w+ )?(?:top|dress|shirt|bra|bikini|suit))
            - (?:only|just|nothing but) (?:<own> |bare )?skin (?:remains?|is left|left|shows?)|
              see\w* (?:<own>) (?:\w+ )?body through\b|(?:covered|hidden|clad|dressed)
              (?:only )?(?:by|with|in) (?:a|one) (?:single|lone|tiny) (?:leaf|petal|feather|flower|
              ribbon|towel|scarf)
            - nothing (?:touch\w*|against|next to|on) <own> (?:\w+ )?(?:skin|body)
            - (?:bare|uncovered|exposed|undressed|stripped|nothing|revealed) (?:on )?(?:from|above|
              below|to) the (?:waist|hips?|navel|belly)|(?:from|above|below) the waist (?:up|down|
              upwards?|downwards?)?,? ?(?:\w+ ){0,2}(?:bare|uncovered|exposed|undressed)
            - (?:what|how).{0,30} (?:under|beneath|underneath) (?:her|his|their|those|the)
              (?:clothes|clothing|dress|outfit|garments|kilt|skirt|towel|robe)|(?:goes|looks?|
              looking|peers?|peeks?|zooms?|going|filming|films) up (?:the|her|his|a) (?:kilt|skirt|
              dress)|(?:she|he|they|woman|man|person|body|lady|guy|gentleman|all) (?:is |are |was |
              stands |stood |lies |sits |left |kneels |dances |poses )+(?:\w+ly |all |left )?bare
              (?! (?:hand|foot|head|knuckl|arm|faced|leg|shoulder|back))|(?:reveal|show|flash|
              display|expos|unveil|uncover|flaunt|present|bar)(?:s|es|ed|ing|e)?
              (?:off )?(?:us )?(?:<own>) <w><intimate>
            - expos(?:es|ed|ing|e) (?:her|him|them)sel(?:f|ves)|leav(?:es|ing|e) (?:her|him|them|the
              \w+) (?:\w+ )?(?:exposed|bare|uncovered|undressed)
            - flash(?:es|ing|ed) (?:the |a |some )?(?:crowd|camera|audience|passers ?by|onlookers|
              viewers?|strangers?|public|everyone|us|people|him|them|(?:\w+ )?(?:driver|man|guys?|
              men|boys|neighbou?rs?|cops?|waiter))(?! (?:a|an|with|\w+ (?:smile|grin))\b)
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
            - (?:<own>) <w><shirt> (?:<fall>) (?:to|on|onto|off|away|from)\b
            - (?:pull|tug|yank|slid|push|lower|drag)\w* (?:down|aside|open) (?:<own>) <w><shirt>
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
              beneath|under\w*|whatsoever|on|besides|apart|save|to|over|else|and|as|while|in|by
              (?:the|a)|near|beside|next to|behind|at|before|whatever|above|below))
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
              clothed)|(?:as|the way|how) (?:gods?|the gods?|nature|the lord|her mother|his mother|
              mother nature) (?:made|intended|created|brought|bore)|(?:as|like|the way|how|the
              day)(?: on)?(?: the day| when| the moment| the hour)? ?(?:she|he|they) (?:was|were|
              came|entered) (?:born|into (?:the|this) world)|like (?:a newborn|adam|eve)(?: and
              eve)?(?: before| in| without)|(?:as|like) (?:adam|eve),? (?:no|without a|sans)
              (?:fig )?leaf|(?:dressed|clothed|clad|attired) (?:like|as) (?:adam|eve)
              (?= ?[.,;!]| ?$| in (?:paradise|eden|the garden))
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
              a|an|her|his|their|the|that|those|this|these|all|single|sweater|shell|and|scrap|
              stitch|piece|shred|bit|item|thread|trace|inch|of|visible|actual|real|such|kind|sort|
              type|article|protective|usual|or|clothes|clothing|shirt|wearing|shoes,?|pants,?|dress|
              even|wet)){0,6} <cloth>(?! (?:in (?:the|a|her|his|their|my) (?:\w+ )?(?:closet|
              wardrobe|suitcase|drawer|bag|shop|store|wash|dryer|basket|hamper|laundry|dresser|box|
              trunk)|hang\w*|left|for|line|rack|hanger|store|dryer|washing|code|sense|rehearsal|
              shoes|shirt|hat|brand|shop|hamper|softener|iron\w*|on (?:the|a) (?:line|rack|hanger|
              hook|shel\w+|bed|chair|floor|hangers)|drawer|pockets?|leg|to (?:wash|fold|iron|wear|
              pack)|fit\w*|budget|shopping))
            - (?:no|without|without any|without a) \w+ (?:trunks|underwear|panties|bra|briefs|
              bikini|swimsuit)(?= ?[.,;!]| ?$| (?:on|under\w*|beneath|at)\b)
            - (?<!up )(?<!folds )(?<!folding )(?<!washes )(?<!gathers )(?<!irons )(?:<own>)
              (?:\w+ )?(?:clothes|clothing|garments|dress|lingerie|underwear|panties)(?: (?:are|is|
              end up|ends up|land|lands|hit|hits|litter|lie|lies|lying|left|all|now|scattered|
              strewn|piled|discarded|abandoned|crumpled|dropped|tossed|flung|thrown|forgotten|in))*
              (?:in a (?:heap|pile)|(?:on |onto )?the (?:floor|ground|sand|shore|rocks|riverbank)|at
              (?:<own>) feet|around (?:<own>) (?:feet|ankles))
            """
        ),
    ),
    Rule(
        "wears only what does not cover",
        listed(
            r"""
            - (?:<worn>|cover|covers|covering)(?: (?:in|by|with))? (?:<only>)(?: (?:in|by|with))?
              (?:a |an |the |her |his |their |some |two |three |one )?<w>(?:<cover>|<undies>)
            - (?:<only>) (?:wear\w*|dressed in|clad in|covered by|covered with|covered in|wrapped
              in|draped in) (?:a |an |the |her |his |their |some |two |three )?<w>(?:<cover>|
              <undies>)
            - (?<!\w )in (?:<only>) (?:a |an |the |her |his |their |some |two )?<w>(?:<cover>|
              <undies>)
            - (?:is|are|was|stands?|appears?|comes?) (?:only|just) in (?:a |an |her |his |
              some )?<w>(?:towel|sheet|apron|socks|heels|stockings|lingerie|underwear|panties|thong|
              boxers)(?= ?[.,;!]| ?$| and\b)|in (?:<only>) (?:a |an |the |her |his |their |
              some )?<w>(?:towel|sheet|apron|socks|smile|heels|boots|hat|scarf|jewel\w+|stockings|
              <undies>)|with nothing but (?:a |an |the |her |his )?<w>(?:boa|towel|sheet|bedsheet|
              apron|pearls|feathers?|fan|fig leaf)|with (?:<only>) (?:a |an |the |her |
              his )?<w>(?:towel|sheet|leaf|leaves|hands|bubbles|undies|blanket) (?:covering|to
              cover|around|for|on|over|hiding|as)
            - (?:only|just) (?:a|an|her|his|the) <w>(?:towel|sheet|bedsheet|fig leaf|apron|thong|
              smile) (?:around|wrapped|covering|on|to cover|draped|and)
            - (?:cover\w*|hid\w*|shield\w*|conceal\w*|drap\w*|wrap\w*|cloth\w*|dress\w*) (?:her|him|
              them)sel(?:f|ves) (?:\w+ )?(?:with|in|by) (?:<only>) (?:a |an |the |her |his |their |
              some )?<w>(?:<cover>)
            - (?:wear\w*|dressed in|clad in|in) .{0,40} and nothing (?:else|more)(?= ?[.,;!]| ?$)
            - (?:wear\w*|dressed in|clad in|has on) .{0,40} and (?:that's|that is|thats) (?:all|it)
              (?= ?[.,;!]| ?$)
            - (?:in|wear\w*|clad in|ending (?:with|in)) (?:\w+ ){0,2}(?:<cover>|<undies>|tassels)
              (?:only|alone)(?= ?[.,;!]| ?$)|only (?:has|have|had) (?:\w+ ){0,3}(?:<cover>|<undies>)
              on(?= ?[.,;!]| ?$)
            - nothing (?:hid|cover|conceal|shield|obscur)\w* (?:<own> (?:\w+ )?(?:body|skin|figure|
              breasts|curves|form|modesty)|her|him|them)(?= ?[.,;!]| ?$| (?:but|except|from)\b)
            - (?:just|really|only|in) (?:\w+ )?body ?paint(?= ?[.,;!]| ?$| on\b)|
              (?:<garment>)(?: is| are)?(?: just| only| merely)? painted on(?= ?[.,;!]| ?$)|
              (?:outfit|clothes|clothing|dress|bikini)\b.{0,40} (?:then|finally) (?:to )?nothing
              (?= ?[.,;!]| ?$)
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
            - (?:<only>) (?:a |an |the |her |his |some )?(?:\w+ ){1,3}?(?:cover|hid|conceal|
              shield)\w* (?:<own>) (?:\w+ )?(?:body|chest|torso|front|breasts|privates|modesty|
              nakedness|groin)
            - (?:cover|dress|cloth|drap|wrap|adorn|put)\w* (?:her|him|them|the
              \w+)(?: in| with| by)* (?:<only>)(?: in| with| by)? (?:a |an |the |her |his |
              some )?<w>(?:<cover>|<undies>)
            - (?:only|barely|just about|scarcely) (?:cover|hid|conceal|shield|protect)\w* (?:<own>)
              (?:\w+ )?(?:body|chest|breasts|bosom|modesty|private parts|curves)
            - only (?:thing|garment|item|covering|piece|stitch)s? (?:of clothing )?(?:that |
              which )?(?:(?:is |are |still )?(?:cover|hid|conceal|shield)\w* (?:her|him|them|the
              \w+)|(?:she|he|they)(?:'s| is| are| has| have|'ve)? (?:wear\w*|got on|on|put on)
              (?= ?[.,;!]| ?$| is\b| are\b))
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
              <w><undies>|(?:lingerie|underwear|boudoir) (?:clips?|videos?|vids?|scene|tease|haul|
              try on|(?:fashion )?(?:show|runway|catwalk|parade)|models?|shoots?|photo ?shoots?|
              photos?|photography|session|pose|poses|selfie|pictures?|portrait|clad)
            - (?:(?<=[,;] )|(?<!.))(?:(?!sports|no)\w+ ){0,2}(?:panties|thong|g string|lingerie|bra|
              negligee|jockstrap|garter belt|pasties|underwear|knickers)(?: and (?:panties|
              stockings|thong|heels))?(?= ?[,;]| ?$)
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
