"""What counts as asking for a child by whose it is, what it does or where it learns, in English.

Somebody's son or granddaughter may be grown: an adult age in the same prompt, or what only adults
do, answers that doubt.
"""

from mm_model.serving.words.rules import Rule, listed

RULES = (
    Rule(
        "somebody's child is the one shown",
        listed(
            r"""
            - (?:(?<!.)|(?<=[,:;.!?] ))(?:our|my|this|that|the|cute|sweet) (?:(?:own|sweet|dear|
              beloved|favorite|favourite|adorable|cute|lovely|youngest|eldest|oldest|only|first|
              second|twin|friend's|sister's|brother's|neighbou?r's|cousin's) )*<kin>(?!'s\b)(?!
              (?:in law|and (?:law|heir))\b)(?!.{0,80}<grown_life>)
            - (?:animat|mak|put|show|let|hav|turn|film|plac|bring|send|generat|creat|depict|render|
              imagin|pictur|want|giv|see|get|dress)(?:e|es|s|ing|ed|ting)? (?:me )?(?:my|our|this|
              that) (?:\w+ )?<kin>(?!'s\b)(?! in law)(?!.{0,80}<grown_life>)
            - <kin> (?:in|from|of|on) (?:the|this|my|that|our) (?:attached |uploaded |reference |
              family )?(?:photo\w*|picture|pic|image|reference|selfie|snapshot)s?
              (?!.{0,80}<grown_life>)
            - (?:video|clip|film|movie|animation|footage|reel|portrait) (?:of|with|about) (?:my|our)
              (?:\w+ )?<kin>(?!'s\b)(?! in law)(?!.{0,80}<grown_life>)
            """
        ),
        unless_grown=True,
    ),
    Rule(
        "as many candles as years",
        listed(
            r"""
            - (?:<minor_age>|a dozen) (?:\w+ )?candles (?:on|in|atop) (?:her|his|their|my|the
              birthday) (?:\w+ ){0,2}cake|blow\w* out (?:the |all |her |his )?<minor_age>
              (?:birthday )?candles
            """
        ),
        unless_grown=True,
    ),
    Rule(
        "somebody's child with an age",
        listed(
            r"""
            - <kin>,? (?:of|aged|age|who is|who's|is|turns|turning|just turned|only|just) (?:just |
              only |about |almost |nearly )?<minor_age>(?= ?[.,;!]| ?$| years| on\b| in\b|
              at\b| with\b| and\b| who\b)
            - if (?:she|he|they|i|this \w+|the \w+) (?:were|was|is) (?:just |only |about |still |
              again )?<minor_age>(?= ?[.,;!]| ?$| years| again)
            - (?:subject|figure|individual|human|character|model|hero|heroine|face) of (?:just |only
              |about |barely |around )?<minor_age>(?= ?[.,;]| ?$| (?:years|summers|winters)\b)
            - (?:a|the|this) minors?,? (?:aged? )?<minor_age>|minors (?:aged|under)
            - (?:(?<!.)|(?<=[,:;.!?] ))(?:(?:she|he|they|him|her|only|just|barely|now|still)
              )?(?:four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|
              sixteen|seventeen) and (?:already|still|full|never|not|so|very|nervous|shy|proud|
              happy|wild|free|carefree|bored|giddy|barefoot|curious|fearless|lonely|lost|sleepy|
              sulky|awkward|restless|bright|cute|clever|brave|scared|excited|in love|ready|small|
              tiny)(?![^\W_])
            - (?:u|under) (?:[5-9]|1[0-7])s? (?:\w+ )?(?:player|gymnast|swimmer|goalkeeper|goalie|
              striker|champion(?!ship)|winner|runner|athlete|skater|boxer|wrestler|fencer|pitcher|
              batter|dancer|chess player)
            - before (?:she|he|they|i) (?:was|were|turned|turns?|reached|became) (?:even |yet )?(?<=
              )(?:18|eighteen|<minor_age>)(?= ?[.,;!]| ?$)
            - (?:not yet|not even|barely|hardly) (?:out of|in) (?:her|his|their|the) (?:teens|
              tweens|single digits)|(?:knee high to a grasshopper|no taller than (?:a|the|his|her)
              (?:table|kitchen counter|doorknob|door handle))|(?:half|a third) (?:her|his)
              (?:current |present )?(?:size|height),? (?:as )?a
            - (?:she|he|him|her|them|they),? (?:(?:is|was|are|at|about|just|only|barely) )*(?:two|
              three|2|3)(?: and a half)? (?:feet|foot|ft) tall
            """
        ),
    ),
    Rule(
        "what is at school as children are",
        listed(
            r"""
            - (?:<grade>|lower|upper|reception|infant) (?:grade|form) (?:pupil|student|girl|boy|kid|
              child)|(?:<grade>|lower|upper) year (?:pupil|girl|boy|kid|child)|(?:<grade>|lower
              sixth|upper sixth) formers?|in (?:the )?(?:first|second|third|fourth|fifth|sixth|lower
              sixth|upper sixth) form(?= ?[.,;!]| ?$| at| of|learning|class)
            - (?:at|for|taking|sitting|studying for|revising for|passing|passed|sits) (?:her|his|
              their) (?:a levels?|gcses?|o levels?|eleven plus|11 plus|11\+|sats)
            - (?:(?<=, )|(?<!.))(?:in )?(?:grade|year|class|form) (?:[1-9]|one|two|three|four|five|
              six|seven|eight|nine)(?= ?[.,;!]| ?$)
            - (?:grade|primary|elementary|middle|nursery|high|junior) school (?:photo|picture|
              sports|field|class) (?:day|photo|picture|trip)|school (?:photo|picture) day|(?:for|of|
              in) (?:the )?under (?:fives|sixes|sevens|eights|nines|tens|elevens|twelves)|first day
              (?:of|at) school\b.{0,60}(?:satchel|backpack|lunch ?box|mom|pigtails|gap ?tooth)
            - (?:fresh|straight|just) out of (?:elementary|primary|middle|high|junior high|grade|
              grammar|nursery|secondary) school|(?:first|last) (?:day|week|year) (?:of|at|in)
              (?:junior high|high school|secondary school|grammar school|big school)(?! as a
              teacher)(?! teach)
            - (?:prom|homecoming) (?:night|dress|date|picture|photo|queen|king)[^.]{0,40}?
              (?:seventeen|sixteen|fifteen|eighteen|16|17|15|nervous|corsage|first)|(?:at|to|going
              to) (?:her|his|their) (?:first |junior |high school |middle school )?prom(?=
              ?[.,;!]| ?$|with| in)(?! (?:chaperone|teacher))
            - in (?:the|a|her|his) (?:school ?yard|playground|sandpit|sandbox|kindergarten|
              schoolroom|school bus) with (?:her|his|their|other|the other) (?:classmates?|
              schoolmates?|playmates?|little friends?|school friends?)|with (?:her|his|their)
              (?:playmates?|kindergarten friends?|fellow pupils)|hasn't started school|(?:not yet|
              not even|before) (?:in|started|starting) school
            """
        ),
    ),
    Rule(
        "what only the very young do or are called",
        listed(
            r"""
            - (?:with|showing|has|flashing|grinning with) (?:her|his|their|two|tiny|missing|gappy)?
              ?(?<= )(?:baby|milk) teeth|(?:with|sucking|chewing|holding|has) (?:on )?(?:a|her|his)
              (?:\w+ )?(?:pacifier|dummy in (?:her|his) mouth|binky|teething ring|rattle|baby
              bottle)
            - (?:just|barely|only|recently|has|not yet|still) (?:just |recently )?learn(?:ed|ing|t|
              s) (?:how )?to (?:walk|talk|crawl|speak|stand|toddle)(?! (?:again|with|on (?:stilts|a
              prosthe\w+)|italian|french|dog|the dog|in heels|a tightrope))
            - (?:a|the|this|that|our|my|cheeky|naughty|little) (?:\w+ )?(?:whippersnapper|teeny
              ?bopper|foundling|bundle of joy|wee one|half pint|knee biter|bambino|papoose|
              scallywag|munchkin|tiny human|wee bairn|young'un|babe in arms|tiny tot|grade schooler)
            - (?:little|young|cheeky|tiny) (?:rascal|scamp|monkey with (?:her|his)|imp|brat|bro|
              brother|sis|sister|dude|squirt|mite|sprout|fella|miss|mister|master|champ|cherub|
              critter with|explorer with|artist with (?:her|his) (?:mom|dad|mum))(?!'s\b)
              (?!.{0,80}<grown_life>)
            - (?:toddler|child|kid|baby|teen|infant|tween)i?f(?:y|ies|ying|ied)|being born|(?:at|
              during) (?:her|his) (?:own )?birth(?= ?[.,;!]| ?$)|(?:her|his|their) first (?:holy
              )?communion|still believ\w+ in (?:santa|the tooth fairy|father christmas|the easter
              bunny)|mini mes?(?![^\W_])|knee high(?! (?:boots|socks|stockings|grass|snow|water|in))
            - in (?:a|the|her|his) (?:\w+ )?(?:high ?chair|booster seat)(?! assembly)
            - (?:the |this )?(?:subject|woman|man|person|lady|guy|model)'s (?:own )?(?:childhood|
              boyhood|girlhood|infancy|babyhood)(?! (?:home|house|friend|memor|bedroom|street|town|
              photo|dream|sweetheart))|(?:scenes?|moments?|clip|footage|day|summer) (?:from|in|of)
              (?:her|his|their|my) (?:\w+ )?(?:childhood|boyhood|girlhood|infancy)
            - wards? of (?:the|an) (?:orphanage|state|court)|(?:lives?|living|raised) in (?:an|the)
              orphanage
            - (?:child|childhood|baby|toddler|kindergarten|school) (?:photo|picture|photograph|
              portrait|snapshot)s? (?:of [\w' ]{1,20} )?(?:comes? (?:to life|alive)|is animated|
              moves|blinks|smiles|giggles|waves|laughs|animated)
            - (?:relive|reliv\w+|bring back|give me back|give back|return to|back (?:to|in)|
              recreat\w+|re ?enact\w*|show\w*) (?:(?:her|his|my|our|their|the (?:woman|man|
              person)'s) )?(?:own )?childhood(?! (?:home|house|friend|memor|bedroom|street|town|
              photo|dream))|(?:give|get) (?:me|her|him) (?:my|her|his) childhood back
            - (?:me|us|myself|her|him) (?:back )?when (?:i|we|she|he) (?:was|were) (?:still |very |
              so |just |only |a )?(?:little|small|young|tiny|wee|kid|child|toddler|baby|boy|girl|
              <minor_age>)
            """
        ),
    ),
)
