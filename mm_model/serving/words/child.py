"""What counts as asking for a child, in English: a rule for each way of saying it, with why.

Asked for is the one whom the video is of: the first person that the prompt names, who is given the
references' face. Somebody else's child beside an adult is not, nor is a drawing of one. Any doubt
about the age of the one asked for counts as a child.
"""

from mm_model.serving.words.rules import Rule, listed, words

RULES = (
    Rule(
        "the person made young",
        listed(
            r"""
            - (?:child|childhood|kid|baby|infant|toddler|teen|teenage|teenaged|boyhood|girlhood|
              little|adolescent|school ?(?:boy|girl|age|days)?|kindergarten|preschool|(?:primary|
              elementary|grade|nursery) school|five|six|seven|eight|nine|ten|<minor_age>(?: years?
              old)?|small|tiny|pint sized?|half pint|mini|miniature)(?: (?:girl|boy|child|year old|
              me|little))* (?:self|selves|version(?! of the (?:car|song|story|game|phone)))
              (?! (?:portrait|esteem|made|taught|help|service|driving|checkout|confidence))|inner
              child (?:self|come to life)|(?:self|version of (?:her|him|them)(?:self|selves)?) as
              (?:a )?(?:child|kid|baby|toddler|teen\w*|boy|girl|<child>)
            - (?:child|child ?like|kid|baby|infant|toddler|teen|teenager|girl|boy|childhood|<child>)
              (?:version|form|edition|counterpart|incarnation|variant)s?
            - (?:<revert>) (?:\w+ ){0,4}?(?:to|into|until|till|back to)
              (?:(?!to\b)\w+ ){0,3}?(?:child\w*|kid|boy\w*|girl\w*|baby|infan\w+|toddler\w*|teen\w*|
              adolescen\w+|youth|<minor_age>(?! (?:inch\w*|feet|cm|percent|centi\w+|meters|metres|
              times|per|years younger))|kindergart\w+|preschool\w*|(?:primary|elementary|grade|
              middle|high) school|<child>)
            - (?:mak(?:e|es|ing)|made|turn\w*|render\w*|show\w*|portray\w*|depict\w*|imagin\w*|
              pictur\w*|recast\w*|let|want\w*|need\w*) (?:<whom>),? (?:again |to |be |being |
              become |into |look like |back |as )*(?:just |only )?(?:a|an|the|some) <few><child>
              (?! (?:for|of|to)\b)
            - (?<!the )(?<!a )(?<!her )(?<!his )(?:(?:kindergarten|preschool|(?:junior|middle|
              primary|elementary|grade|nursery|high) (?:school|high)|<grade> grade|toddler|teen\w*|
              kid|child|baby|little|tiny|<minor_age> years? old|schoolgirl|schoolboy)(?: aged?)?)
              (?:her|him|them)(?= ?[.,;!]| ?$| (?:in|at|on|with|\w+ing|and|who))
            - (?:child|kid|baby|toddler|teen|infant)i?fied|infantili[sz]ed|de ?aged (?:by
              (?:several|many|two|three|four) decades|child\w*|face)
            - (?:as|back|returned|like|during|in|into|to|from) (?:in )?(?:her|his|their|early|late|
              middle)?(?: own| early| late)? ?(?:childhood|infancy|toddlerhood|babyhood|boyhood|
              girlhood|adolescence|puberty|early teens|(?:pre)?teen years|school ?days|kindergarten
              (?:days|years)|teenage years|teens)(?! (?:home|friend|memor|photo|bedroom|development|
              education|psycholog))
            - (?:when|while|back when|as|how|of|the (?:year|day|summer|age)) <she> (?:was|were|is|
              are|looked)(?: (?:just|only|still|about|around|barely|maybe|like|a|an|very|so|in|not
              yet|back))* (?:<minor_age>|young|little|small|tiny|<child>|elementary school|primary
              school|kindergarten|preschool|middle school|high school|(?:the )?<grade> grade|
              diapers|nappies)(?! (?:minutes|hours|meters|miles|feet|away|late|stops|steps|blocks|
              pounds))
            - (?:child|kid|baby|infant|teen\w*|toddler|girl|boy)(?:'s|ish|like| like)? (?:body|face|
              figure|physique|features|frame|proportions|appearance|head|build)|(?:body|face|figure|
              physique|features|proportions|appearance|looks?|build|size|height) (?:of|like) (?:a |
              an )?<adj><child>
            - (?:childhood|baby|school|kindergarten|class|yearbook|<grade> grade|grade \w+)
              (?:class )?(?:photo|picture|photograph|portrait)s? (?:of [\w' ]{1,20} )?(?:come|comes|
              coming|brought|brings?|to life|alive|animated|moving)
            - (?:face|head|features|likeness) (?:on|onto|over|upon|swapped onto|pasted on|placed on)
              (?:to )?(?:a |an |the |another |this )?<adj><child>
            - as (?:a |an |the )?(?:\w+ )?pupils?(?= ?[.,;!]| ?$| (?:at|in|of|with))
            - (?:did|was|were|looked) (?:back )?(?:at|when) (?:age |about |around )?<minor_age>
              (?= ?[.,;:!]| ?$| years)|(?:at|during|having|celebrat\w+) (?:her|his|their)
              (?:own )?ba[rts] mitzvah|(?:(?<!.)|(?<=, ))(?:her|his) ba[rts] mitzvah|(?:in|during|
              through|hits|hitting|reaching) puberty|puberty aged?|(?<!at )(?<!of )1[0-7]f
              (?= ?[.,;]| ?$| (?:selfie|pic|model|video|vid)\b)
            - (?:reached|hit|entered|turned) (?:her|his|their) teens|mini (?:him|her|them)
              (?= ?[.,;!]| ?$| (?:in|with|at|on|who|\w+ing)\b)
            - (?<!.)(?:only |just |aged |age )?<minor_age>(?=, (?!<minor_age>|\d))|(?:almost|nearly|
              not quite|about to (?:be|turn)|soon) (?:18|eighteen)(?= ?[.,;!]| ?$| years)
            - (?:little|baby|kid|small) (?:brother|sister) version|(?:(?<!.)|(?<=, ))(?:her|him|
              them) (?:in|at) (?:an?|the) (?:\w+ )?(?:middle school|elementary school|primary
              school|high school|junior high|kindergarten|preschool)(?! (?:teacher|reunion))
            - (?:<revert>|from) (?:a |an |the )?(?:\w+ )?(?:adult|woman|man|person|grown ?up|old
              age|senior|elder) (?:back )?(?:in)?to (?:a |an |the )?(?:little |small |young |
              tiny )?<child>
            - (?<!his )(?<!her )(?<!their )(?:daughter|son|heir|princess|prince|sister|brother|
              cousin|niece|nephew|twin|student|singer|skater|gymnast|prodigy|actress|actor)(?: of
              [\w ]{1,20})?, (?:aged |just |only )?<minor_age>(?= ?[,.;]| ?$)
            - (?<=[a-z], )(?<!\bone, )(?<!\btwo, )(?<!\bthree, )(?<!\bfour, )(?<!\bfive, )
              (?<!\bsix, )(?<!\bseven, )(?<!\beight, )(?<!\bnine, )(?<!\bten, )(?<!\beleven, )
              (?<!\btwelve, )(?:only |just |aged |age |so )?<minor_age>(?= ?(?:[.;]|
              , (?!<minor_age>|\d))| ?$| and <minor_age>(?: ?[,.;]| ?$))
            - (?:(?<=, )|(?<!.))year (?:[7-9]|1[01])(?= ?[,.;])
            - los(?:es|ing|t|e) (?:her|his) first tooth
            - ages? (?:back |down )?(?:to|of|is|was|:|=) ?(?:about |just |only |around )*<minor_age>
            - (?:isn't|not|hasn't turned|yet to turn|yet to reach|yet to be|not turned|not reached)
              (?:even |yet )?(?:18|eighteen|<minor_age>)(?= yet| years|[.,;]| ?$)
            - (?:turned|reborn|reimagined|remade|rendered|reverted|regressed|recast|redrawn|
              portrayed|depicted|transformed|morphed)(?: back)?(?: (?:as|into|to))? (?:a |an |
              the )?<adj><child>
            - (?:chang|revert|convert|morph|transform|shrink|shrunk|regress|
              reduc)\w*(?: [\w']+){0,4} (?:in)?to (?:a |an |the |being a )?<adj><child>
            - (?:turn|grow|age|go|grew|went)\w*(?: [\w']+){0,4} (?:back )?into (?:a |an |the |being
              a )?<adj><child>
            """
        ),
    ),
    Rule(
        "the person made younger",
        listed(
            r"""
            - (?:younger|young|former|earlier|past)(?: (?:girl|boy|child|year old|me|little))*
              (?:self|selves|version(?! of the (?:car|song|story|game|phone)))(?! (?:portrait|
              esteem|made|taught|help|service|driving|checkout|confidence))
            - blow\w* out (?:the )?<minor_age> candles|age regress\w*|(?:revers\w+|backwards?)
              ag(?:e|ing|ed)|(?:gets?|getting|grows?|growing|becom\w+) (?:ever )?younger and younger
            """
        ),
        unless_grown=True,
    ),
    Rule(
        "an age below eighteen",
        listed(
            r"""
            - <minor_age>(?: and a half)? ?(?:<years>) ?(?:old|olds|of age|aged|young)(?!er)
              (?! <thing>(?:<not_a_person>)(?:s)?(?![^\W_]))|(?:\d+|\w+) ?(?:months?|weeks?|days)
              old(?! <thing>(?:<not_a_person>)(?:s)?(?![^\W_]))
            - (?<![\d.])(?:[1-9]|1[0-7]) ?(?:yo|yrs?|y o|y/o|yr old|y\.o)\b|(?:[1-9]|1[0-7])(?:yo|
              yrold|yearold|y/o)
            - (?:aged?|aging|ages):? (?:of |about |around |only |just |approximately |roughly |
              maybe )?<minor_age>(?! (?:years? in|and (?:up|over)|\w* ?(?:oak|barrel|cask)|or
              (?:older|over)|days|weeks|\+))
            - (?:the )?age (?:of |is |about |was |around )(?:about |around |just |
              only )*<minor_age>|<minor_age> (?:years|summers|winters) (?:of age|young|on
              (?:this )?earth)
            - (?:boy|girl|lad|lass|child|kid|thing|soul) of (?:just |only |about |
              barely )?<minor_age>|(?:man|woman|person|lady|guy|gentleman|someone|somebody) of
              (?:just |only |about |barely )?<minor_age>(?= ?[.,;]| ?$| (?:years|summers|winters))|
              (?:(?:no|not|isn't|hardly|cannot be|can't be|couldn't be|not be) (?:any |
              much )?(?:older|more) than|younger than) <minor_age>(?! ?(?:minutes?|hours?|days|
              weeks|of (?:the|them)))|(?:<she>|gentleman|guy|subject|model|lady|female|male),
              <minor_age>(?: (?:<years>))?(?= ?[.,;]| ?$| on a| who)
            - (?:under|below|younger than|less than|not yet|no older than|before|not even|short of|
              no more than|hardly|barely|scarcely|just) (?:the age of |age |turned )?(?:<minor_age>|
              18|eighteen)(?: years?| yrs)(?: old| of age)?(?! (?:coach|team|football|soccer|
              champion\w*|league|tournament|squad|category|cup|match|world))|(?:under|below|younger
              than|no older than|not yet|barely|not even|before) (?:the age of |age |turned |
              turning )?(?:1[0-8]|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|
              eighteen)(?! ?(?:minutes?|hours?|seconds?|degrees|feet|meters|metres|miles|dollars|
              people|percent|%|k\b|mph|kg|pounds|o'clock|am|pm|km|cm|euros|coach|team|football|
              soccer|champion\w*|league|tournament|squad|cup|match|world))
            - (?:looks?|appears?|seems?|looking|appearing|is|are|was|being|turns?|turning|turned|
              aged|now|only|just|at|about|who's|she's|he's|they're|i'm|am|remain(?:s|ed)|stay(?:s|
              ed)|finally)(?: (?:to be|finally|about|around|roughly|maybe|barely|only|just|no more
              than|almost|nearly|like|again|a|an|again|age|like she's|like he's|as if she were|as if
              he were))* <minor_age>(?: again| and a half)?(?= ?[.,;!]| ?$| again| with| and (?:has|
              wears|is|smil|laugh|(?:already |now |then )?\w+(?:s|ing)\b)| in (?:(?:this|that|it)\b|
              (?:a|her|his|the) (?:school|class|play|pigtail)))(?<!at six)(?<!at seven)(?<!at eight)
              (?<!at nine)(?<!at ten)(?<!at five)(?<!at four)(?<!at three)(?<!at two)(?<!at one)
              (?<!at eleven)(?<!at twelve)(?<!at \d)(?<!at 1\d)(?<!number \d)(?<!just one)
              (?<!only one)(?<!is one)(?<!about one)(?<!turns one)
            - (?:herself|himself|themselves|her|him|woman|man|person|them|lady|guy|gentleman|
              self)(?: back)?,? (?:at|when|of|at age|around) (?:about |just |only |age )*<minor_age>
              (?= ?[.,;!](?!\d)| ?$| (?:with|and|who|years?|again|playing|holding|smiling|riding|
              wearing|eating|running|laughing|dancing|sitting|standing|walking|jumping|blowing|
              reading|drawing|crying|waving|looking|learning|singing|sleeping|in (?:a|her|his))\b)|
              (?:<she>|gentleman|him|her|them),? (?:but|yet|now|already) (?:just |only |about |
              aged )?<minor_age>(?= ?[.,;!]| ?$| years| with)|(?:be|is|are|me|us|him|her|them|was|
              being|looks?|turns?|becomes?|made|make) <minor_age> again|(?:make|makes|made|making)
              (?:her|him|them|the \w+) (?:look )?(?:about |like )?<minor_age>(?= ?[.,;!]| ?$| years
              (?! (?:younger|older|off)))
            - (?<!'s )(?<!s' )(?:her|his|their|a|the)(?: own)? <ordinal> birthday(?! of)|sweet
              sixteen|quincea\w+|bar mitzvah (?:boy)|(?:birthday (?:girl|boy))|turn(?:s|ing|ed)
              <minor_age>(?= ?[.,]| ?$| today| years| this)
            - (?:in|during) (?:her|his|their) (?:early |mid |late |pre )?(?:teens|tweens|preteens|
              teenage years)|(?:preschool|kindergarten|nursery|primary|elementary|primary school|
              elementary school|grade school|school|toddler|infant|pre school) (?:age|aged)
              (?! (?:child|kid|son|daughter|boy|girl|grand))|(?:a|one|half a|under a|less than a)
              (?:decade|dozen years?) old(?! <thing>(?:<not_a_person>))|,? still (?:small|little|
              tiny)(?= ?[.,;]| ?$| and)|before (?:she|he|they) (?:grew|grows?|became|came|turned|
              reached) (?:up|an adult|of age|adult\w*|grown)|single digits? (?:age|in age)|age in
              (?:the )?single digits|not old enough to (?:drive|vote|drink|shave|work|marry)|too
              young (?:to|for) (?!die|retire|remember|understand)\w+|(?:years|decade|long) before
              (?:adulthood|(?:she|he|they) (?:grew|grows|came|comes|was|were) (?:up|of age|an adult|
              grown))|below the age of (?:consent|majority)|not (?:yet )?(?:an adult|of
              (?:legal )?age|(?:a )?grown ?up|fully grown)|under ?age[d]?|under ?18s?
              (?! (?:coach|team|football|soccer|champion\w*|league|tournament|squad|cup))|
              jail ?bait|barely legal|pre ?pubescent|pubescent|pre ?puberty|hasn't (?:hit|reached)
              puberty|before puberty|born in (?:2009|201\d|202\d)|legal minor|(?:is|as|as an?|a|
              looks like a|still a|underage) minor(?= ?[.,;!]| ?$| child)
            """
        ),
    ),
    Rule(
        "a place in school that only children have",
        listed(
            r"""
            - (?<!teaches )(?<!teaching )(?<!taught )(?<!works )(?<!working )(?<!worked )
              (?<!teacher )(?<!job )(?<!assistant )(?<!volunteers )(?<!volunteer )(?:in|attends?|
              attending|starts?|starting|begins?|entering|enters|finishing|repeating) (?:the |her |
              his )?(?:<grade> grade|grade (?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight)|
              year (?:[1-9]|1[01])|kindergarten|preschool|pre school|nursery school|elementary
              school|primary school|grade school|grammar school|middle school|high school|junior
              high|day ?care)(?= ?[.,;!]| ?$| (?:class|at|of|with|again|uniform|and|student|wearing|
              learning|holding|who|raising|during|sitting))(?! (?:class )?(?:as a teacher|teacher))
            - (?:first|1st) day (?:of|at|in) (?:kindergarten|preschool|elementary school|primary
              school|first grade|nursery|nursery school|grade school|daycare|middle school)(?! as a
              teacher)
            - <grade> grade (?:\w+ )?(?:gear|uniform|outfit|clothes|jersey|kit|costume|classroom|
              play|recital|graduation|photo|portrait|class|version|self|homework|desk|dance|team|
              backpack|picture day|science fair|spelling bee|talent show|field trip)(?! teacher)
            - (?:grade|year) (?:[1-9]|1[0-2]|one|two|three|four|five|six|seven|eight) (?:pupil|
              student|boy|girl|kid|child)
            - (?:in|wears?|wearing|wore|dressed in) (?:a|an|her|his|their)
              (?:[\w']+ ){0,2}(?:school ?(?:girl|boy)?|kindergarten|preschool|elementary) uniform
            """
        ),
    ),
    Rule(
        "what only an infant does",
        listed(
            r"""
            - (?:out of|still in) (?:diapers|nappies)|(?:in|wear\w*|wore|dressed in) (?:a |an |her |
              his |just a |only a |only |just |nothing but a )?(?:\w+ )?(?:diapers?|nappy|nappies|
              romper suit|onesie and bonnet)(?! (?:bag|commercial|aisle|rash|brand))|diaper clad
            - (?:lies|lying|sits|sitting|sleeps|sleeping|asleep|naps|napping|stands|standing|rests|
              resting|wakes|waking|crying|cries|giggl\w+|coo\w+|wriggl\w+|babbl\w+) (?:\w+ )?(?:in|
              inside) (?:a|the|her|his) (?:\w+ )?(?:crib|cradle|playpen|high ?chair|stroller|pram|
              baby carriage|bassinet|cot|moses basket)
            - (?:suck\w*|chew\w*)(?: on)? (?:a|her|his|the) (?:\w+ )?(?:pacifier|dummy|binky|
              soother|teething ring|thumb)|teething|(?:takes?|taking|took) (?:her|his|their)
              (?:very )?first steps(?! (?:on the moon|toward|towards|into|on mars|as|in (?:the|her|
              a)))|learn(?:s|ing|ed)? (?:how )?to (?:crawl|toddle)|swaddled|(?:missing|losing|loses|
              lost) (?:her|his|their|two|some|a|both)? ?(?:front )?(?:milk|baby) (?:teeth|tooth)
            """
        ),
    ),
)

WORDS = words(
    "child children toddler toddlers infant teen teens teenager teenage schoolgirl schoolboy "
    "girl boy kid kids baby underage preteen loli lolita minor"
)
"""What is looked for in words whose letters are hidden or apart."""

SPLIT = words("toddler teenager schoolgirl schoolboy underage children")
"""What is looked for in two words read as one."""
