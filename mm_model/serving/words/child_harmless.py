"""What only sounds like a child: left out of a prompt before the rules are tried again.

Things made for children, goats, keys in minor, adults called boys or girls, what is remembered.
"""

from mm_model.serving.words.rules import listed

HARMLESS = listed(
    r"""
    - (?:child|kid|baby|toddler|teen|girl|boy|infant|youth) (?:friendly|proof\w*|care|carer|safe|
      safety|sized? (?!her\b|him\b|them\b|version|person|body|woman|man\b|me\b)\w+|meals?|themed|
      rated|groups? (?:choreograph\w+|danc\w+|concert|songs?|fans?|stage|reunion|video|performance)|
      support (?:groups?|workers?|payments?|lawyer|case|judge|services)|labou?r|welfare|
      psycholog\w+|psychiatr\w+|custody|seats?|rearing|minders?|development|protection|services|
      clothes|clothing|shoes?|socks?|toys?|books?|tees?|t ?shirts?|hood clinic|hostels?|club|
      magazine|vogue|movies?|drama|novels?|fiction|choir cd|bands?|(?:band|group) poster|scout
      (?:cookies?|uniform|badges?|leader|troop leader|camp)|friends?)(?! (?:an?|the|his|her|out|up|
      with)\b)
    - baby (?:blues?|pinks?|yellow|green|grand|pianos?|shower|monitor|carriages?|strollers?|bump|
      oil|powder|wipes?|carrots?|corn|spinach|greens|potatoes|leaf|leaves|names?|bottles?|blankets?|
      booties?|onesies?|rattle|cribs?|cots?|beds?|food|formula|bibs?|back ribs|steps|faced?(?= \w)|
      fat|hairs?|boomers?|bath(?: ?tub)?|slings?|carriers?|wrap|albums?|(?:photo|picture)s?(?! (?:of
      [\w']+ )?(?:comes?|moves|is animated|animated|blinks|waves|smiles))|drawings?|paintings?|
      animals?|elephants?|goats?|birds?|chicks?|ducks?|ducklings?|rabbits?|bunny|bunnies|lions?|
      tigers?|bears?|pandas?|monkeys?|deer|fox|turtles?|penguins?|seals?|whales?|owls?|kangaroos?|
      giraffes?|hippos?|rhinos?|sloths?|alligators?|crocodiles?|dragons?|dinosaurs?|yoda|groot|
      squirrels?|sheep|lambs?|llamas?|alpacas?|horses?|donkeys?|camels?|otters?|hedgehogs?|sharks?|
      breath|registry|announcement|gender reveal|dolls?|wool|alpaca|stool|swing|weight|locks?|
      gates?)|(?:girl|boy) (?:power|boss|crush|dinner)|(?:child|kid) (?:locks|gates?|seats?)(?!
      (?:the|a|his|her)\b)
    - (?:<not_a_person>)s?,? (?:(?:who|that|which|is|of|aged|about|just|only) )*<minor_age>
      (?:<years>)(?: old)?
    - (?:adolescent|child|juvenile|teen) (?:psychology|psychiatry|development) (?:textbook|book|
      class|lecture|lab|clinic|conference)s?|(?:teen|teenage|adolescent|juvenile|child|infant|kids?|
      toddler|girls?|boys?) (?:(?:heartthrob|psychology|idol|fashion|pop|band|soccer|football|
      hockey|choir|group|drama|comedy|romance|fantasy|care|health|dental|scout|toy|clothing|shoe|
      book|bicycle|sports?) )?(?:posters?|textbooks?|books?|magazines?|psychology|menus?|section|
      aisle|department|stores?|shops?|museum|wards?|hospitals?|signs?|club|league|toothbrush|cereal|
      show|channel|furniture|table|corner|playground|clothing|literature|brand|charity|chairs?|
      bikes?|bicycles?|bedrooms?|desks?|helmets?|tickets?|discount|entrance|bathrooms?|restrooms?|
      locker room|names?(?! (?:an?|the|his|her|out|up|with)\b)|team coach|coach|teacher|
      psychologist|counsellor|counselor|doctor)
    - (?:her|his|my|your|a|the|their) (?:girl|boy) ?friends?|(?:girl|boy)friends?|girls?'? night(?:
      out)?|boys'? night(?: out)?|girl next door|girl with a pearl earring|girls' trip|girl power|
      spice girls|beach boys|backstreet boys|beastie boys|gilmore girls|powerpuff girls|golden
      girls|mean girls|bad boys?|game ?boys?|nintendo|fall out boy|playboys?|play boy|oh boy|boy oh
      boy|good old boys|(?<!years )(?<!year )(?<!month )(?<!yr )attaboy|cow ?boys?|cow ?girls?|tom
      ?boys?|bell ?boys?|bus ?boys?|pool boy|cabin boy|delivery boy|golden boy|mama's boy|lover
      ?boy|fly ?boys?|boy (?:bands?|genius poster|george|toy)|show ?girls?|cover ?girls?|pin ?up
      girls?|calendar girls?|call girl|party girl|it girl|bond girls?|working girl|ring girl|gibson
      girl|material girl|college (?:girls?|boys?|kids?|students?)|uptown girl|jersey girl|career
      girl|new girl|gone girl|supergirl|bat ?girl|(?:atta|that's my) girl|girls? just wanna have
      fun|(?:sorority|university) girls?|go girl
    - (?:hey|oh|yeah|yes|ooh|my|ice ice|cry|bye bye|million dollar|rosemary's|hush little|be my)
      baby(?= (?:sing|song|poster|t|on|as|,|$|by)|[,.!]|$)|baby,? (?:it's cold|one more time|shark|
      come back|i love you|you)|ice ice baby|rosemary's baby|million dollar baby|cry ?bab(?:y|ies)|
      jelly bab(?:y|ies)|beanie bab(?:y|ies)|bush ?bab(?:y|ies)|baby ?sitt(?:er|ers)|baby ?sits?(?=
      (?:for|as)\b)|babysit\w*|baby ?sitting (?:job|gig|service|course|flyer|money)|baby faced?|
      maybe baby|fur ?bab(?:y|ies)|sugar baby|tar baby|boss baby|(?:spice|ginger) baby
    - (?<!my )(?<!our )kid (?:brother|sister)
    - kid (?:gloves?|leather|skin|goats?|rock|cudi)|goats? (?:and|with) (?:her|its|two|three|the|
      their|some) (?:\w+ )?kids?|(?:goat|mountain goat|baby goat|ibex|antelope|leaping|billy) kids?|
      kids? (?:goats?|bleat\w*)|goat with (?:her|its|two|three) kids?|kidding|kids (?:around|
      himself|herself|with)|(?:just|only) kids|(?:sour|cabbage) patch kids?|karate kid|billy the
      kid|sundance kid|cisco kid|cable ?kid|diary of a wimpy kid|new kids on the block|whiz kid|kid
      you not|i kid|(?:nice|good|hey|here's looking at you),? kid
    - (?:new|rookie|cool|old|big|youngest|oldest) (?:kid|boy|girl|lad)s?(?: (?:in|on|at|from|of)
      (?:the |his |her )?\w+){0,2},? (?:(?:is|who|a|an|aged|about|around|age|at|now|just|turned)
      )*<adult_age>|(?:girls|boys|kids|lads),? (?:(?:who|are|all|both|now|\w+) ){0,3}(?:grown|adult|
      middle aged|in their <decade>)
    - (?:girls|boys|lads|ladies|bachelor boys|bachelor girls)'? (?:trip|weekend|night|brunch|dinner|
      getaway|reunion|poker|holiday|golf|lunch|day out|road trip|club)|bachelor (?:boys|girls)|
      (?:the|one of the|with the|with her|with his|some of the|old|good ol'?) (?:boys|girls|lads)
      (?:are back|(?:from|at|of|in|down at) (?:the )?(?:\w+ )?(?:accounting|work|office|garage|band|
      pub|bar|marketing|sales|firehouse|fire station|precinct|regiment|army|navy|squadron|company|
      factory|shop floor|golf club|club|lodge|bank|firm|blue|crew|nineties|eighties|sixties))
    - (?:school ?(?:boy|girl)) (?:error|mistake|howler|humou?r|charm|grin|crush|giggles?|enthusiasm|
      french|pun|fantas\w+)s?|(?:paper|news|altar|school|choir)boy (?:hat|cap|cut|haircut|blazer)|
      paper boy (?:hat|cap)|(?:lassie|laddie) (?:the|come home|dog|collie|movie|poster)|girly?
      (?:pink|drink|movie)
    - (?:teach\w*|taught|tutor\w*|substitut\w+|principal|volunteer\w*|instructor|parent|mother|
      father|mom|dad|reads to|talks to|visits|addresses|grad(?:es|ing))(?: [\w',]+){0,8} <grade>
      grade\w*|<grade> grade (?:\w+ ){0,2}(?:teacher|educator|tutor|parent|syllabus|curriculum)
    - (?:children|kids|boys|girls|teens|infants|toddlers|babies)' (?:\w+ ){0,2}<trade>|(?:children|
      child|kid|baby|teen|boy|girl)'s (?:\w+ ){0,2}<trade>|(?:child|kids|baby|youth|teen|children|
      infant) (?:psycholog\w+|psychiatr\w+|therapist|minder|carer|photographer|counsell?or|advocate|
      specialist|entertainer|(?:protection|care|welfare) (?:worker|officer))s?
    - (?:former|ex|retired|onetime|one time) (?:\w+ )?<child>(?: \w+)?|(?:child|kid|teen|boy|girl)
      (?:actor|star|actress|prodigy|model|bride|singer|pop star) turned \w+|(?:good|best) (?:boy|
      girl)s?(?=,? (?:a |the |his |her )?(?:dogs?|puppy|hound|cat)\b)|lolita (?:novel|book|film|
      movie|poster)|(?:grown|adult) (?:man|woman)(?: \w+){0,2} (?:dressed|dresses|costumed) as (?:a
      |an )?<adj><child>|(?:mother|mom|mum|mommy|parent|dad|daddy|father|me) and (?:baby|me|toddler|
      child) (?:yoga|class|group|club|swim\w*|parking|bench|session|room|fair)|children of (?:men|
      dune|gaia)|boys in blue|girls'? (?:college|dormitory|boarding school)|infant (?:industr(?:y|
      ies)|formula)|no under 18s?|under 18s? (?:are )?not (?:admitted|allowed)|teen (?:heartthrob|
      idol|star|sensation) of the <decade>|(?:kids|children|teenager|toddler|tween)(?:'s?)?
      (?:meals?|friendly|proof\w*|themed|rated)|boy meets girl|teenage dream|(?:her|his|their|my)
      (?:teenage|childhood|teen|kindergarten|school) years (?:were|was|taught|shaped|behind)|tall
      ?boys? (?:beer|can|dresser)s?|(?:number|score|count|total|answer|result|time|hour|temperature|
      level|volume|floor|size) (?:is|was) (?:now )?<minor_age>|(?:boy|girl|child)(?: and (?:his|her)
      \w+)? (?:statue|sculpture|figurine|fountain)s?|atta boy|poster (?:boy|girl|child)|girl friday|
      working girls|call cent(?:er|re) (?:girl|boy)s?|baby's breath|tots? of (?:rum|whisky|whiskey|
      gin|brandy)|with (?:the|a|all the) (?:\w+ )?(?!face|body|figure|features|head|build|voice|
      size|height|looks?|appearance|skin|hands|hair)\w+ of (?:a|an|any) (?:\w+ )?<child>|girls just
      wan\w+|old boys'? (?:network|club|school|association)|lad(?:s|dish)? (?:culture|mags?|mag)|
      (?:kids|children|teens?|tweens?)(?: and (?:tweens?|teens?|kids))? (?:section|aisle|department|
      corner|menu)
    - (?:brain|grand|god|step|poster|problem|wild|love|inner|flower|only|destiny's|adult|grown)
      ?child(?:ren)?(?! self| version)|with child(?= ?[.,;!]| ?$| (?:and|touch\w*|in|is|walks|sits|
      stands|smiles|holds|rubs|waits)\b)|child ?(?:like|ish)(?:ly|ness)?(?! (?:version|self|form|
      state|body|face|appearance|figure|features|woman|man|person|proportions|physique|girl|boy))|
      child ?less|child (?:free|bearing|birth)|childbirth|julia child|lee child|former child
      (?:star|actor|actress)|baby ?(?:less|free)|child at heart|kid at heart|young at heart|children
      of the corn|child of (?:god|nature|the (?:sixties|seventies|eighties|60s|70s|80s))|menchild|
      man ?child|grown (?:up )?(?:kids?|children|child)|(?:like|as (?:excited|happy|giddy|innocent|
      curious|playful|carefree) as) (?:a |an |the |two |some )?(?:\w+ )?(?:kids?|child|children|
      boys?|girls?|schoolboys?|schoolgirls?|bab(?:y|ies)|teenagers?|toddlers?|newborn|teens?) (?:in
      a|on|at|with a|opening|who|again|seeing|playing|about|caught|lost|having|waiting|for|chasing|
      after|during)
    - (?<!look )(?<!looks )(?<!looked )(?<!looking )(?<!appear )(?<!appears )(?<!appearing )(?<!seem
      )(?<!seems )(?<!exactly )(?<!dressed )(?<!rendered )(?<!shown )(?<!depicted )(?<!portrayed )
      (?<!drawn )(?<!made )(?<!face )(?<!body )(?<!features )(?<!him )(?<!her )(?<!is )(?<!are )
      (?<!shaped )(?<!built )(?<!styled )(?<!young )(?<!small )like (?:a |an |some |two |the
      )?(?:(?:little|small|big|happy|excited|giddy|young|playful|lost|overgrown|proud|mischievous|
      delighted|five year old|eager|wide eyed|spoiled|spoilt|sleepy|tired|stubborn|sulky)
      )*(?:kids?|child|children|boys?|girls?|schoolboys?|schoolgirls?|bab(?:y|ies)|teenagers?|
      toddlers?|newborns?|teens?)
    - (?:as )?(?:excited|happy|giddy|innocent|curious|playful|carefree|eager|proud|joyful|free|
      delighted|thrilled|cheerful|gleeful|restless|nervous|wide eyed|helpless|gentle|soft|smooth|
      sweet|quiet|naughty|silly|stubborn) as (?:a |an )?(?:little |small |new ?born )*(?:kid|child|
      baby|boy|girl|schoolboy|schoolgirl|toddler|teenager)(?:'s \w+)?
    - (?:big|overgrown|oversized|giant|real|total) (?:kids?|child|children|bab(?:y|ies))|little
      (?:boy|girl)s? (?:room|blue(?! eye))
    - juvenile (?:in (?:tone|nature|style|taste|spirit)|humou?r|behaviou?r|jokes?|pranks?|antics|
      mood)
    - (?:father|mother|mom|mum|dad|parents?|guardian|nanny|babysitter|uncle|aunt|grandfather|
      grandmother|grandma|grandpa|carer|tutor) (?:of|to|for) (?:a|an|two|three|her|his|their)
      <minor_age> (?:<years>) olds?
    - (?:minor|juvenile) (?:key|keys|chord|chords|scale|injur\w+|scratch\w*|change\w*|detail\w*|
      league\w*|role|character|planet|arcana|repairs?|accident|adjust\w*|court|court judge|
      detention|arthritis|third|seventh|flaws?|bruis\w*|cut|cuts|issue\w*|problem\w*|roads?|prophet|
      works?|figure|setback|surgery|official|diabetes|fruit|bird|eagle|gull|hawk|salmon|trout)|
      (?:in|the) [a-g](?: sharp| flat)? minor(?: (?:key|chord|scale))?|(?:[b-g]|[a-g] (?:sharp|
      flat)) minor|[a-g](?: sharp| flat)? minor (?:key|chord|scale|sonata|concerto|prelude|waltz|
      etude|nocturne)|ursa minor|canis minor|asia minor|(?:sonata|concerto|symphony|prelude|waltz|
      etude|nocturne|mass|fugue) in \w+ minor
    - (?:fountain|elixir|eternal|bloom|springtime|lost|vigor|vigour) (?:of )?youth|youth (?:hostel|
      center|centre|club|worker|leader|group leader|orchestra poster|serum|pastor|movement)|
      teen(?:age)? mutant ninja turtles?|teen (?:vogue|wolf|titans|spirit|movie|drama|novel)|smells
      like teen spirit|sex(?:y)? ?teens? no|tater tots?|hot tots|babe ruth|(?:like|dress\w* as) a
      (?:baby )?teenage mutant
    - kinder (?:than|eggs?|surprise|words?|man|woman|look|eyes|face|gentler)|(?:a|be|is|far|much)
      wean (?:off|from)|orphan(?:ed)? (?:kitten|puppy|lamb|sock|drug|calf|foal|works?|annie poster)|
      (?:dilated|pupils?|his|her|wide) pupils
    - (?:no|without|without any|not|never|isn't|is not|aren't|free of|instead of|rather than|
      neither) (?:(?:a|an|any|the|longer|more) )*(?:children|child|kids?|bab(?:y|ies)|boys?|girls?|
      toddlers?|teens?|teenagers??|infants?|underage|youngsters?)(?:
      around| nearby| present| visible)?|child free|kid free|adults? only,? no kids|not for (?:kids|
      children)
    - (?:(?:adult|grown|mature|(?:18|19|2\d|3\d|4\d|5\d|6\d|7\d|8\d|9\d) ?(?:years? old|yo|y o)|
      (?:aged|age) (?:18|19|[2-9]\d)|college|twenty something|thirty something) (?:(?!to |and |or |
      from )\w+ )?)(?:girls?|boys?|kids?|child|children|babe|lass|lad)|(?:girls?|boys?|lass|babe),?
      (?:(?:who is|aged|age|of|is|about|around) )*(?:18|19|[2-9]\d|eighteen|nineteen|twenty\w*|
      thirty\w*|forty\w*|fifty\w*)(?: years? old|yo)?(?!\d)|(?:girl|boy|lass|babe)s? in (?:her|his|
      their) (?:early |mid |late )?(?:twenties|thirties|forties|fifties|20s|30s|40s|50s)
    - (?:remember\w*|recall\w*|miss(?:es|ing)?|talk\w*|think\w*|dream\w*|tell\w*)(?: [\w']+){0,4}
      (?:being|having been) (?:just |only )?(?:a |an )?(?:little |small |young )?(?:child|kid|boy|
      girl|little|young|small|baby|teenager|toddler|school ?girl|school ?boy|newborn|<minor_age>)|
      (?<!person )(?<!woman )(?<!man )(?<!lady )(?<!guy )(?<!body )(?<!one )(?:that|which) (?:is|
      are|was|were) (?:about |almost |over |nearly )?<minor_age> (?:years|months|weeks|days) old|
      (?:remember\w*|recall\w*|tells?|telling|talk\w*|thinks?|thinking|stor(?:y|ies)|memor(?:y|ies)|
      diary|reminisc\w*|since|home)(?: [\w']+){0,6} (?:she|he|they|i|we) (?:was|were) (?:just |only
      )?(?:a |in )?(?:child|kid|boy|girl|little|young|small|baby|teenager|school|<minor_age>)
    - (?:since|from|in|of|about|her|his|their) (?:early )?childhood (?:home|house|memor\w+|friends?|
      photos?|pictures?|bedroom|dreams?|sweetheart|home|street|trauma|neighborhood|town|toys?|doll|
      bear|piano|album|education|teacher|diary|school|treehouse|hero|stories|summer\w* (?:house|
      home))|childhood (?:friends?|home|memor\w+|photos?|pictures?|sweethearts?|bedroom|dreams?|
      toys?|album|diary|development|education|hero)
    - (?<!with )(?<!her )(?<!his )(?<!has )baby teeth
    - (?:child|kid|toddler|baby) (?:resistant|resistance|proofed|sized? (?:chair|bike|desk|table|
      violin|guitar|coffin|mannequin|doll)s?)
    - (?:baby|infant|adolescent|juvenile|teenage|teen|toddler|newborn|new born|orphan(?:ed)?|young|
      boy|girl) (?:\w+ )?<animal>
    - (?<=, )baby(?=!)|(?<=yeah )baby|(?<=\bsugar, )baby|(?:(?<!.)|(?<=[.!?] )|(?<=\boh ))boy,
      (?:that|it|this|what|is|am|do|does|did|was|are|oh|how|i|you|we|look)(?![^\W_])|(?:oh|man oh
      man|boy) boy(?= ?[,.!]| ?$)
    - (?:the |about the |roughly the )?size of (?:a|an|two) (?:\w+ )?<child>, (?:an?|the) (?:\w+
      )?(?:statue|dog|bird|owl|doll|pumpkin|fish|vase|cake|book|robot|bear|turtle|spider|cat)
    - (?:draw|sketch|paint|illustrat|animat|carv|sculpt|knit|sew|dub|voic)\w* (?:a|an|the|some|two|
      her|his) (?:[\w']+ ){0,3}?(?:kids?|child|children|boys?|girls?|bab(?:y|ies)|toddlers?|
      teenagers?)(?:'s)? (?:voice |character |figure )?(?:on|onto|in|into|for|out of|from) (?:a|an|
      her|his|the) (?:\w+ )?(?:tablets?|paper|canvas|sketchbook|notebook|wall|mural|comic\w*|studio|
      wood|clay|marble|film|series|book|magazine|screen|easel|board|pad)
    - (?:teen|teenage|infant|toddler|child|baby|kids?) (?:slang|speak|mortality|beds? (?:assembly|
      frame)|culture|angst|fashions?|pregnancy prevention|vaccines?|vaccination|nutrition|poverty|
      hunger|marriage (?:ban|law)|literacy|statistics|tax credits?|benefits?|allowance|studies|
      research|spice|carrier|names?|hair|talk(?:ing)?|fever|blanket|sweater|hats?|mobile|powder|
      scent)
    - teen(?:age)? (?:idols?|heartthrobs?) (?:of|from) (?:the )?(?:<decade>|\d\ds)|girl dads?|boy
      moms?|rock a bye baby|hush,? little baby
    - (?:good|best|clever|brave|pretty) (?:boy|girl)s?(?=[,!.]? [^.]{0,40}(?:dog|puppy|retriever|
      labrador|hound|terrier|collie|poodle|horse|mare|stallion|pony|cat|parrot|falcon)(?![^\W_]))
    - teenage fan ?club|toddling(?= old| elderly)|toddles? (?:off|along|home)
    - kid's (?:\w+ )?(?:meals?|menus?)|kids' (?:\w+ )?(?:meals?|menus?)
    """
)
