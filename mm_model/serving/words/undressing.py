"""What counts as undressing, in English: clothes taken off by somebody, and clothes that go.

Coats, hats, shoes and glasses are not clothes here, nor is a man's shirt.
"""

from mm_model.serving.words.rules import Rule, listed

RULES = (
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
            - (?:shirt|belt|socks|pants|shoes|trousers|dress|skirt|coat)\b.{0,30}
              everything(?: else)? (?:lands?|falls?|drops?|ends up|hits?)|(?:stockings?|gloves?|
              shoes?|shirt|dress|layer|coat|jacket),? (?:and )?then (?:the rest|everything|all the
              rest)(?= ?[.,;!]| ?$)|garment (?:by|after) garment
            - (?:lose|losing|shed|remov|drop|peel)\w* (?:off )?(?:every|each|all) (?:\w+ )?(?:layer|
              garment|piece|item)s?(?= ?[.,;!]| ?$| until| till)|(?:<off>) (?:it all|everything|the
              lot) off(?= ?[.,;!]| ?$| (?:for|baby|now|slowly)\b)|(?:<off>) off .{0,20}and
              everything(?= ?[.,;!]| ?$)
            - (?:tug|pull|undo|unt[iy]|loosen|cut|snap)\w* (?:at |on )?(?:the )?(?:bow|strings?|
              knot|ties|laces) (?:of|on) (?:<own>|the) <w>(?:bikini|bra|dress|gown|corset|robe|
              bikini top)|(?:tear|rip|pull|strip|whip)\w* away (?:<own>) <w><garment>
            - (?:last|rest) of <own> (?:clothes|clothing|garments|outfit)(?! (?:in|into|on the|
              for)\b)
            - lets? down (?:[\w']+ ){1,4}(?:and|then) <own> <w>(?:<loose>)
            - (?:remov(?:e|es|ing)|sheds?|shedding|discard\w*|losing|(?:tak\w+|took|peel\w*|pull\w*|
              slip\w*|strip\w*) off) (?:<garment>)(?! (?:from|off|of) (?:the|an?)\b)(?! (?:stains?|
              tags?|labels?|lint|shop|hangers?))
            - (?:<garment>)(?: [\w']+){1,7} (?:until|till) (?:it's|it is|they are|they're|all is|all
              are|she's|he's) (?:all )?(?:gone|bare|off)
            - (?:fling|flung|toss|throw|threw|hurl|cast)\w* (?:away|aside|off) (?:<own>)
              <w><garment>
            - (?:turn|switch|toggle)\w* off (?:the |her |his )?(?:clothes|clothing|outfit)|
              (?:clothes|clothing|outfit) layer (?:off|disabled|hidden)
            - (?:slip|slid|push|pull|shrug|eas)\w* (?:<own>) (?:\w+ )?(?:dress|bra|gown|nightgown|
              top|slip|bikini) straps? (?:off|down)|(?:dress|gown|robe|towel|nightgown|straps?|
              kimono|slip)(?: [\w']+){0,4} lets? it (?:<fall>)(?= ?[.,;!]| ?$| (?:to|down)\b)
            - strip(?:s|ped|ping)? (?:her|him|them)(?= ?[.,;!]| ?$| (?:down|bare|completely|for|in|
              on|of)\b)(?! of (?:\w+ ){0,2}(?:titles?|rank|medals?|powers?|crown|dignity|badge|
              command|office|armou?r|citizenship|honou?rs?))
            - (?:last|final) (?:veil|garment|layer|piece|stitch|thread) (?:<fall>|comes off|is
              (?:gone|shed))|lets? it all (?:drop|fall|go|slide|slip)(?= ?[.,;!]| ?$)
            - towel(?: [\w',]+){0,8} (?:drops?|dropping|lets? go of|lowers?|removes?) it
              (?= ?[.,;!]| ?$| to the)|(?:bubbles|foam|suds) (?:slid\w*|run\w*|drip\w*|fall\w*|
              slip\w*) (?:off|down|away)(?! (?:the|a) )
            - (?:wriggl|wiggl|squirm|struggl|slip|work|shak)\w* free of (?:<own>) <w><garment>|
              drop(?:s|ping|ped)? (?:trousers|trou|pants|shorts|jeans|drawers|undies|briefs)
              (?= ?[.,;!]| ?$| and| to)
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
              (?:robe|bathrobe|towel|nightgown|negligee|kimono))(?! (?:off|on the bed|on (?:the|a|
              his|her) (?:[\w']+ )?(?:desk|table|counter)|in the|into|bag|shop))
            - (?:pull\w*|yank\w*|tug\w*|push\w*|slid\w*|roll\w*|eas\w+|work\w*|wriggl\w+|drag\w*|
              hik\w+|peel\w*|strip\w*|shimm\w*)(?: (?:down|up|aside|open))? (?:<own>) <w><garment>
              (?:down|aside|open|to (?:the|one) side)|(?:pull\w*|yank\w*|tug\w*|push\w*|slid\w*|
              roll\w*|eas\w+|work\w*) (?:down|aside|open) (?:<own>) <w><garment>
            - (?:lift|lifts|lifting|hike|hikes|hiking|hitches|raise|raises|raising|flips?)
              (?:up )?(?:<own>) <w>(?:skirt|dress|gown|nightgown|kilt|blouse)(?! (?:hem|slightly|a
              little|to (?:step|climb|walk|cross|avoid|curtsy|wade|run)|as|out of|and (?:curts\w+|
              runs|walks)))
            - (?:step|slip|slid|wriggl|wiggl|shimm|squirm|climb|peel|slink|eas|help|coax|talk|
              cut)\w* (?:herself |himself |her |him |them |the (?:woman|man|person|lady|guy|
              model) )?out of (?:(?:<own>|the|that|those|this|these|all) <w>(?:<garment>|<shirt>)|
              everything|clothes)(?! (?:shop|store|rack|box|bag))
            - (?:get|gets|getting|got|tak\w+|took|lift\w*|pull\w*) (?:herself |himself |her |him |
              them |the (?:woman|man|person|lady|guy|model) )?out of (?:(?:<own>|that|those|this|
              these|all) <w>(?:<garment>|<shirt>)|everything|clothes)(?! (?:shop|store|rack|box|
              bag))
            - (?:<off>|blow|blows|blew|carr(?:y|ies)|snatch\w*|sweep\w*|wash\w*|burn\w*|cut\w*|
              steal\w*|tug\w*) (?:<own>) <w><garment> (?:clean |right )?away
            - (?:<off>|blow|blows|blew|snatch\w*|cut\w*|burn\w*|wash\w*) (?:<own>|that|those)
              <w><garment> (?:right |all |slowly |clean )?off(?! (?:the|a|an) )
            - (?:replac|swap|exchang|chang|trad)\w* <own> <w><garment> (?:with|for|into|by)
              (?:nothing|(?:<own> |bare )?skin|thin air|air|flesh|none)
            - (?:edit|eras|delet|remov|tak|photoshop|cut|strip)\w* (?:out |off |away )?(?:what|
              everything|whatever|anything)(?: that)? (?:she|he|they)(?:'s|
              've| is| are| was| has| have| had)? (?:wear\w*|got on|on(?= ?[.,;!]| ?$))
            - (?:peel|shed|drop|remov|tak|lose|strip)\w* (?:off )?(?:the|her|his) (?:very )?(?:last|
              final|remaining) (?:layer|garment|piece|stitch|shred)s?(?= ?[.,;!]| ?$| off
              (?= ?[.,;!]| ?$)| of (?:cloth|fabric|silk|lace))
            - lets? (?:her|his|their|the|it) (?:<w>(?:<loose>|<shirt>) )?(?:<fall>)(?! (?:asleep|
              silent|in love|out of))(?: (?:off|down|open|away|to|from|around|at|onto|$))|letting
              (?:her|his|their|the) <w>(?:<loose>|<shirt>) (?:<fall>)|(?:robe|towel|bathrobe|
              clothes|garments|lingerie|nightgown|sheet|panties|bra|negligee|kimono|underwear)
              (?:<fall>|comes|coming) (?:\w+ )?(?:off|open|away|to the|from (?:her|his)|to (?:her|
              his)|down|around)|(?:dress|gown|skirt|blouse|trousers|pants|(?:silk|satin|lace|her)
              slip|chemise|camisole) (?:slips?|slipping|slides?|sliding|drops?|dropping|pools?|
              pooling|comes|coming) (?:\w+ )?(?:off|open|away|to the|from (?:her|his)|down|around|to
              (?:her|his))
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
        "clothes go",
        listed(
            r"""
            - everything (?:is |comes |all )*(?:off|removed|shed|taken
              off)|(?!everything)(?:<garment>|blouse|(?:her|his) top)(?: (?:<becoming>))* (?:<gone>)
              (?! (?:the|an?|that) (?!woman|man|person|lady|girl|guy|model|body|subject))(?! of)
            - (?:make|makes|making|made|let|lets|have|turns?) (?:the |her |his |
              all )?<w>(?:<garment>|<shirt>)(?: and everything(?: else)?)?(?: (?:<becoming>))* (?:go
              away|disappear|vanish|invisible|transparent|see through)
            """
        ),
    ),
)
