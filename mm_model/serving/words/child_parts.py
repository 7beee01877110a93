"""The parts that rules about children are made of, and what only sounds alike.

Things made for children, goats, keys in minor, adults called boys or girls, and what is remembered
or drawn is left out of a prompt before the rules are tried again.
"""

from mm_model.serving.words.rules import listed, parts

PARTS = parts(
    minor_age=r"""
        (?<![\d.,$])(?:0?[0-9]|1[0-7])(?:\.5)?(?![\d:%.,]\d|\d)|seventeen|thirteen|fourteen|
        fifteen|sixteen|eleven|twelve|three|seven|eight|four|five|nine|one|two|six|ten""",
    ordinal=r"""
        (?:[1-9]|1[0-7])(?:st|nd|rd|th)|seventeenth|thirteenth|fourteenth|fifteenth|sixteenth|
        eleventh|seventh|twelfth|second|fourth|eighth|first|third|fifth|sixth|ninth|tenth""",
    grade=r"""
        [1-9](?:st|nd|rd|th)|1[0-2]th|eleventh|seventh|twelfth|second|fourth|eighth|first|third|
        fifth|sixth|ninth|tenth""",
    years=r"""
        years?|yrs?|y|months?|mos?|weeks?|days?|summers|winters|springs""",
    thing=r"""
        (?:(?!(?:in|on|at|with|from|for|by|to|and|who|is|woman|man|person|lady|guy|gentleman|boy|
        girl|child|kid|baby|\w+ing)\b)[\w']+ ){0,2}?""",
    adj=r"""
        (?:[\w']+,? ){0,3}?""",
    she=r"""
        she|he|they|the woman|the man|the person|the lady|the guy|the subject|woman|man|person""",
    child=r"""
        kindergarteners|schoolchildren|kindergartners|kindergartener|kindergartner|preschoolers|
        adolescents|schoolgirls|schoolchild|preschooler|toddlerhood|adolescent|youngsters|
        schoolgirl|schoolboys|schoolkids|teenagers|tweenager|juveniles|youngster|schoolboy|
        schoolkid|children|toddlers|newborns|teenager|preteens|juvenile|underage|toddling|
        toddler|infants|newborn|preteen|orphans|neonate|bambino|bambina|tiddler|youngling|
        younglings|kiddos|kiddie|babies|infant|tweens|lolita|orphan|urchin|moppet|rugrat|nipper|
        kidlet|child|kiddo|girls|teens|tween|lolis|shota|bairn|kids|boys|girl|baby|teen|loli|
        tyke|lass|kid|boy|lad|lads|tot|minors?(?= ?[.,;!]| ?$| (?:in|at|on|with|who|is|was|
        wearing|dressed|sits?|stands?|walks?|runs?|drink\w*|and|play\w*|smil\w+|danc\w+|img|
        holding|from|under|child|girl|boy|female|male|person|smok\w+|driv\w+|that|looks?|
        laugh\w*|pos\w+)\b)|(?:a|the|this|that|two|three|some) youths?|youths|pre ?schoolers?|pre
        teens?|(?:girl|boy|woman|lady) ?child(?:ren)?|little (?:one|ones|lad|fellow|miss|missy|
        princess|prince|angel|cherub|darling|munchkin)|young (?:one|ones|lad|master|miss|un|'un)|
        (?:grade|middle|high|elementary|primary|junior high|nursery|secondary) ?schoolers?|
        (?:<grade>) graders?|(?:elementary|primary|grade|middle|high|nursery|junior high|
        secondary) ?school (?:students?|pupils?|kids?|child|children|girls?|boys?|freshm[ae]n|
        sophomores?|juniors?|seniors?|age|aged|cheerleaders?|quarterback|athletes?|prom (?:queen|
        king))|school age(?:d)?|(?:preschool|nursery|toddler|infant|child|childhood|teenage|teen|
        kindergarten) age|(?:<grade>) grade (?:students?|pupils?|kids?|boys?|girls?|child|
        children)|junior high (?:students?|kids?|girls?|boys?|pupils?)|kindergarten (?:age|aged|
        pupil|student)|(?:school|grammar school) pupils?|(?:girl|boy|cub) scouts?|brownie scout|
        choir ?boys?|altar boys?|paper ?boys?|child prodigy|flower girls?|small fry|babe in arms|
        ring bearers?|(?:a|the|this|each) pupils? (?:in (?:a |his |her |
        the )?(?:\w+ )?(?:uniform|class\w*|school)|at (?:a|the|his|her) (?:desk|blackboard|board|
        school)|rais\w+|recit\w+)|(?:daycare|preschool|kindergarten|nursery|school) (?:nap ?time|
        recess|playtime|field day)|recess at|little leaguers?|little league (?:team photo|player|
        pitcher|batter|uniform|star)|(?:junior high|middle school|elementary school|primary
        school|kindergarten|preschool) (?:dance|play|recital|graduation|talent show|science fair|
        spelling bee|field trip|picture day|prom|bully)|preemies?|sprogs?|ankle biters?|
        rug ?rats?|a wee? ?wean|a wean(?! off)|weans(?! (?:off|her|him|the))|lass(?:ie|y|ies|es)|
        ladd(?:ie|y|ies)|girl(?:ie|ies|y)|young ?'?uns?|sonny boy|(?:freshm[ae]n|sophomores?|
        juniors?|seniors?) (?:in|at|of) (?:\w+ )?(?:high school|middle school|junior high)|wee
        (?:lad|lass|one|bairn)""",
    not_a_person=r"""
        apprenticeship|relationship|anniversary|motorcycle|smartphone|photograph|television|
        restaurant|tradition|newspaper|sculpture|sourdough|franchise|stallion|tortoise|elephant|
        parmesan|computer|sneakers|building|business|magazine|painting|festival|contract|
        marriage|umbrella|software|warranty|mortgage|sentence|hamster|whiskey|bourbon|tequila|
        cheddar|vinegar|bicycle|scooter|sweater|company|startup|picture|mystery|website|blanket|
        tractor|bicycle|starter|console|project|stadium|journey|mission|program|reunion|kitten|
        parrot|turtle|rabbit|whisky|scotch|cognac|brandy|sherry|cheese|laptop|camera|jacket|
        bonsai|bottle|violin|guitar|letter|tattoo|secret|grudge|record|statue|recipe|engine|
        bridge|castle|church|temple|bakery|career|kettle|kimchi|cactus|labrador|retriever|poodle|
        beagle|terrier|spaniel|collie|shepherd|bulldog|dachshund|pug|husky|corgi|chihuahua|
        greyhound|mastiff|hound|mutt|pup|siamese|tabby|thoroughbred|gelding|filly|foal|calf|bird|
        cockatoo|canary|goldfish|donkey|mule|llama|alpaca|pig|piglet|chicken|hen|rooster|tomcat|
        pet|tom|kitty|orchid|garden|series|degree|prison|puppy|horse|sheep|gouda|truck|phone|
        shirt|jeans|boots|shoes|maple|olive|house|piano|cello|photo|album|wound|couch|chair|
        quilt|beard|plane|tower|watch|dress|bread|plant|break|pony|mare|bull|goat|wine|port|bike|
        coat|tree|pine|home|barn|firm|boat|ship|book|scar|feud|blog|sofa|doll|bear|band|team|
        suit|malt|show|game|club|rule|visa|pass|loan|case|debt|plan|trip|tour|toyota|honda|ford|
        volvo|mercedes|bmw|porsche|jeep|volkswagen|fiat|tesla|harley|macbook|ipad|iphone|dog|cat|
        cow|ram|rum|car|van|oak|rug|toy|jet|war|hat|bag|tea|ham|law|ban|tv""",
    picture=r"""
        photographs|photograph|sculptures|photograph|ultrasound|paintings|portraits|sculpture|
        snapshots|recording|polaroids|billboard|pictures|drawings|painting|portrait|sketches|
        snapshot|figurine|painting|memories|laughter|polaroid|magazine|picture|drawing|posters|
        statues|doodles|cartoon|stories|thought|photos|poster|statue|doodle|sketch|memory|dreams|
        puppet|puppets|doll|dolls|carving|carvings|cutout|voices|locket|advert|photo|album|cards|
        mural|print|image|books|story|sound|voice|video|dream|card|book|bust|tale|news|cry""",
    adult_age=r"""
        (?<![\d.,$])(?:1[89]|[2-9]\d)(?![\d:%]|[.,]\d)|eighteen|nineteen|twenty\w*|thirty\w*|
        forty\w*|fifty\w*|sixty\w*|seventy\w*|eighty\w*""",
    decade=r"""
        (?:early |mid |late )?(?:twenties|thirties|forties|fifties|sixties|seventies|eighties|
        [2-9]0'?s)""",
    revert=r"""
        de ?ag(?:e|ed|es|ing)|age ?regress\w*|regress(?:ed|es|ing|ion)?|revers\w+ ?ag(?:e|es|ed|
        ing)|aged down|ag(?:e|es|ing) (?:<whom>) (?:down|backwards?|back)|(?:down|backwards?)
        ag(?:e|ed|ing)|rejuvenat\w+|shr[iau]nk\w*|turned back|turns? back the clock|rew(?:inds?|
        ound)|morph\w*|young(?:er and younger)""",
    trade=r"""
        (?:author|writer|illustrator|doctor|entertainer|coach|teacher|therapist|psychologist|
        counsell?or|photographer|librarian|editor|advocate|nurse|surgeon|dentist|designer|
        activist|minister|pastor|worker|judge|lawyer|specialist|instructor|conductor|host|
        presenter|performer|clown|magician|trainer|expert|tutor|guide|barber|hairdresser|ward|
        wing|hospital|charity|books?|shop|store|museum|theatre|theater|books? shelf|television|
        tv|party planner)s?""",
    whom=r"""
        her|him|them|herself|himself|(?:the|this|that|my) (?:\w+ )?(?:wom[ae]n|m[ae]n|person|
        people|lady|guy|subject|model|actor|actress|character)(?: (?:in|from|of|on) (?:the|this|
        my) (?:photos?|pictures?|images?|references?|video|selfies?))?""",
    few=r"""
        (?:(?!(?:for|while|with|and|as|to|of|in|on|at|near|beside|wh\w+|that|about|by|
        from)\b)[\w']+ ){0,2}""",
    adult=r"""
        paediatrician|vet|veterinarian|plumber|electrician|carpenter|bartender|barista|cashier|
        clerk|accountant|lawyer|attorney|manager|mayor|senator|rabbi|imam|bishop|author|editor|
        journalist|reporter|architect|researcher|biologist|zookeeper|blacksmith|butler|
        housekeeper|referee|umpire|trainer|detective|sheriff|paramedic|psychologist|obstetrician|
        optometrist|lecturer|curator|auntie|stepmother|stepfather|godmother|godfather|widow|
        widower|fiancee?|duchess|empress|emperor|ranger|gardener|florist|beekeeper|businesswoman|
        grandparents|pediatrician|photographer|grandmother|grandfather|grandparent|firefighter|
        policewoman|storyteller|businessman|hairdresser|babysitter|instructor|shopkeeper|
        gentleman|gentlemen|policeman|librarian|scientist|professor|principal|volunteer|
        lifeguard|therapist|caregiver|caretaker|neighbour|conductor|pediatric|pensioner|musician|
        magician|waitress|stranger|neighbor|somebody|engineer|mechanic|parents|grandma|grandpa|
        teacher|midwife|husband|fireman|officer|soldier|painter|tourist|actress|athlete|dentist|
        visitor|someone|juggler|surgeon|veteran|person|people|ladies|mother|father|parent|granny|
        doctor|sitter|couple|artist|singer|waiter|runner|driver|adults|priest|worker|vendor|
        farmer|dancer|barber|tailor|senior|woman|women|mommy|daddy|uncle|nurse|nanny|coach|bride|
        groom|clown|baker|actor|pilot|adult|santa|queen|tutor|model|judge|elder|lady|guys|mama|
        papa|aunt|wife|chef|cook|monk|king|they|man|men|guy|she|him|mom|mum|dad|nun|who|her|img|
        he|we|i""",
)

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
      fat|teeth|hairs?|boomers?|bath(?: ?tub)?|slings?|carriers?|wrap|albums?|photos?|pictures?|
      drawings?|paintings?|animals?|elephants?|goats?|birds?|chicks?|ducks?|ducklings?|rabbits?|
      bunny|bunnies|lions?|tigers?|bears?|pandas?|monkeys?|deer|fox|turtles?|penguins?|seals?|
      whales?|owls?|kangaroos?|giraffes?|hippos?|rhinos?|sloths?|alligators?|crocodiles?|dragons?|
      dinosaurs?|yoda|groot|squirrels?|sheep|lambs?|llamas?|alpacas?|horses?|donkeys?|camels?|
      otters?|hedgehogs?|sharks?|breath|registry|announcement|gender reveal|dolls?|wool|alpaca|
      stool|swing|weight|locks?|gates?)|(?:girl|boy) (?:power|boss|crush|dinner)|(?:child|kid)
      (?:locks|gates?|seats?)(?! (?:the|a|his|her)\b)
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
    - (?:her|his|my|your|a|the|their) (?:girl|boy) ?friends?|(?:girl|boy)friends?|girls?'?
      night(?: out)?|boys'? night(?: out)?|girl next door|girl with a pearl earring|girls' trip|girl
      power|spice girls|beach boys|backstreet boys|beastie boys|gilmore girls|powerpuff girls|golden
      girls|mean girls|bad boys?|game ?boys?|nintendo|fall out boy|playboys?|play boy|oh boy|boy oh
      boy|good old boys|(?<!years )(?<!year )(?<!month )(?<!yr )attaboy|cow ?boys?|cow ?girls?|
      tom ?boys?|bell ?boys?|bus ?boys?|pool boy|cabin boy|delivery boy|golden boy|mama's boy|
      lover ?boy|fly ?boys?|boy (?:bands?|genius poster|george|toy)|show ?girls?|cover ?girls?|
      pin ?up girls?|calendar girls?|call girl|party girl|it girl|bond girls?|working girl|ring
      girl|gibson girl|material girl|college (?:girls?|boys?|kids?|students?)|uptown girl|jersey
      girl|career girl|new girl|gone girl|supergirl|bat ?girl|(?:atta|that's my) girl|girls? just
      wanna have fun|(?:sorority|university) girls?|go girl
    - (?:hey|oh|yeah|yes|ooh|my|ice ice|cry|bye bye|million dollar|rosemary's|hush little|be my)
      baby(?= (?:sing|song|poster|t|on|as|,|$|by)|[,.!]|$)|baby,? (?:it's cold|one more time|shark|
      come back|i love you|you)|ice ice baby|rosemary's baby|million dollar baby|cry ?bab(?:y|ies)|
      jelly bab(?:y|ies)|beanie bab(?:y|ies)|bush ?bab(?:y|ies)|baby ?sitt(?:er|ers)|baby ?sits?
      (?= (?:for|as)\b)|babysit\w*|baby ?sitting (?:job|gig|service|course|flyer|money)|baby faced?|
      maybe baby|fur ?bab(?:y|ies)|sugar baby|tar baby|boss baby|(?:spice|ginger) baby
    - kid (?:gloves?|leather|skin|goats?|brother|sister|rock|cudi)|goats? (?:and|with) (?:her|its|
      two|three|the|their|some) (?:\w+ )?kids?|(?:goat|mountain goat|baby goat|ibex|antelope|
      leaping|billy) kids?|kids? (?:goats?|bleat\w*)|goat with (?:her|its|two|three) kids?|kidding|
      kids (?:around|himself|herself|with)|(?:just|only) kids|(?:sour|cabbage) patch kids?|karate
      kid|billy the kid|sundance kid|cisco kid|cable ?kid|diary of a wimpy kid|new kids on the
      block|whiz kid|kid you not|i kid|(?:nice|good|hey|here's looking at you),? kid
    - (?:new|rookie|cool|old|big|youngest|oldest) (?:kid|boy|girl|lad)s?(?: (?:in|on|at|from|of)
      (?:the |his |her )?\w+){0,2},? (?:(?:is|who|a|an|aged|about|around|age|at|now|just|
      turned) )*<adult_age>|(?:girls|boys|kids|lads),? (?:(?:who|are|all|both|now|
      \w+) ){0,3}(?:grown|adult|middle aged|in their <decade>)
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
      movie|poster)|(?:grown|adult) (?:man|woman)(?: \w+){0,2} (?:dressed|dresses|costumed) as
      (?:a |an )?<adj><child>|(?:mother|mom|mum|mommy|parent|dad|daddy|father|me) and (?:baby|me|
      toddler|child) (?:yoga|class|group|club|swim\w*|parking|bench|session|room|fair)|children of
      (?:men|dune|gaia)|boys in blue|girls'? (?:college|dormitory|boarding school)|infant
      (?:industr(?:y|ies)|formula)|no under 18s?|under 18s? (?:are )?not (?:admitted|allowed)|teen
      (?:heartthrob|idol|star|sensation) of the <decade>|(?:kids|children|teenager|toddler|
      tween)(?:'s?)? (?:meals?|friendly|proof\w*|themed|rated)|boy meets girl|teenage dream|(?:her|
      his|their|my) (?:teenage|childhood|teen|kindergarten|school) years (?:were|was|taught|shaped|
      behind)|tall ?boys? (?:beer|can|dresser)s?|(?:number|score|count|total|answer|result|time|
      hour|temperature|level|volume|floor|size) (?:is|was) (?:now )?<minor_age>|(?:boy|girl|
      child)(?: and (?:his|her) \w+)? (?:statue|sculpture|figurine|fountain)s?|atta boy|poster
      (?:boy|girl|child)|girl friday|working girls|call cent(?:er|re) (?:girl|boy)s?|baby's breath|
      tots? of (?:rum|whisky|whiskey|gin|brandy)|with (?:the|a|all the) (?:\w+ )?(?!face|body|
      figure|features|head|build|voice|size|height|looks?|appearance|skin|hands|hair)\w+ of (?:a|an|
      any) (?:\w+ )?<child>|girls just wan\w+|old boys'? (?:network|club|school|association)|
      lad(?:s|dish)? (?:culture|mags?|mag)|(?:kids|children|teens?|tweens?)(?: and (?:tweens?|
      teens?|kids))? (?:section|aisle|department|corner|menu)
    - (?:brain|grand|god|step|poster|problem|wild|love|inner|flower|only|destiny's|adult|
      grown) ?child(?:ren)?(?! self| version)|with child(?= ?[.,;!]| ?$| (?:and|touch\w*|in|is|
      walks|sits|stands|smiles|holds|rubs|waits)\b)|child ?(?:like|ish)(?:ly|ness)?(?! (?:version|
      self|form|state|body|face|appearance|figure|features|woman|man|person|proportions|physique|
      girl|boy))|child ?less|child (?:free|bearing|birth)|childbirth|julia child|lee child|former
      child (?:star|actor|actress)|baby ?(?:less|free)|child at heart|kid at heart|young at heart|
      children of the corn|child of (?:god|nature|the (?:sixties|seventies|eighties|60s|70s|80s))|
      menchild|man ?child|grown (?:up )?(?:kids?|children|child)|(?:like|as (?:excited|happy|giddy|
      innocent|curious|playful|carefree) as) (?:a |an |the |two |some )?(?:\w+ )?(?:kids?|child|
      children|boys?|girls?|schoolboys?|schoolgirls?|bab(?:y|ies)|teenagers?|toddlers?|newborn|
      teens?) (?:in a|on|at|with a|opening|who|again|seeing|playing|about|caught|lost|having|
      waiting|for|chasing|after|during)
    - (?<!look )(?<!looks )(?<!looked )(?<!looking )(?<!appear )(?<!appears )(?<!appearing )
      (?<!seem )(?<!seems )(?<!exactly )(?<!dressed )(?<!rendered )(?<!shown )(?<!depicted )
      (?<!portrayed )(?<!drawn )(?<!made )(?<!face )(?<!body )(?<!features )(?<!him )(?<!her )
      (?<!is )(?<!are )(?<!shaped )(?<!built )(?<!styled )(?<!young )(?<!small )like (?:a |an |
      some |two |the )?(?:(?:little|small|big|happy|excited|giddy|young|playful|lost|overgrown|
      proud|mischievous|delighted|five year old|eager|wide eyed|spoiled|spoilt|sleepy|tired|
      stubborn|sulky) )*(?:kids?|child|children|boys?|girls?|schoolboys?|schoolgirls?|bab(?:y|ies)|
      teenagers?|toddlers?|newborns?|teens?)
    - (?:as )?(?:excited|happy|giddy|innocent|curious|playful|carefree|eager|proud|joyful|free|
      delighted|thrilled|cheerful|gleeful|restless|nervous|wide eyed|helpless|gentle|soft|smooth|
      sweet|quiet|naughty|silly|stubborn) as (?:a |an )?(?:little |small |new ?born )*(?:kid|child|
      baby|boy|girl|schoolboy|schoolgirl|toddler|teenager)(?:'s \w+)?
    - (?:big|overgrown|oversized|giant|real|total) (?:kids?|child|children|bab(?:y|ies))|little
      (?:boy|girl)s? (?:room|blue(?! eye))
    - juvenile (?:in|humou?r|behaviou?r|jokes?|pranks?|antics|mood)
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
      toddlers?|teens?|teenagers??|infants?|underage|
      youngsters?)(?: around| nearby| present| visible)?|child free|kid free|adults? only,? no kids|
      not for (?:kids|children)
    - (?:(?:adult|grown|mature|(?:18|19|2\d|3\d|4\d|5\d|6\d|7\d|8\d|9\d) ?(?:years? old|yo|y o)|
      (?:aged|age) (?:18|19|[2-9]\d)|college|twenty something|thirty something) (?:(?!to |and |or |
      from )\w+ )?)(?:girls?|boys?|kids?|child|children|babe|lass|lad)|(?:girls?|boys?|lass|babe),?
      (?:(?:who is|aged|age|of|is|about|around) )*(?:18|19|[2-9]\d|eighteen|nineteen|twenty\w*|
      thirty\w*|forty\w*|fifty\w*)(?: years? old|yo)?(?!\d)|(?:girl|boy|lass|babe)s? in (?:her|his|
      their) (?:early |mid |late )?(?:twenties|thirties|forties|fifties|20s|30s|40s|50s)
    - (?:remember\w*|recall\w*|miss(?:es|ing)?|talk\w*|think\w*|dream\w*|tell\w*)(?: [\w']+){0,4}
      (?:being|having been) (?:just |only )?(?:a |an )?(?:little |small |young )?(?:child|kid|boy|
      girl|little|young|small|baby|teenager|<minor_age>)|(?<!person )(?<!woman )(?<!man )(?<!lady )
      (?<!guy )(?<!body )(?<!one )(?:that|which) (?:is|are|was|were) (?:about |almost |over |
      nearly )?<minor_age> (?:years|months|weeks|days) old|(?:remember\w*|recall\w*|tells?|telling|
      talk\w*|thinks?|thinking|stor(?:y|ies)|memor(?:y|ies)|diary|reminisc\w*|since|
      home)(?: [\w']+){0,6} (?:she|he|they|i|we) (?:was|were) (?:just |only )?(?:a |in )?(?:child|
      kid|boy|girl|little|young|small|baby|teenager|school|<minor_age>)
    - (?:since|from|in|of|about|her|his|their) (?:early )?childhood (?:home|house|memor\w+|friends?|
      photos?|pictures?|bedroom|dreams?|sweetheart|home|street|trauma|neighborhood|town|toys?|doll|
      bear|piano|album|education|teacher|diary|school|treehouse|hero|stories|summer\w* (?:house|
      home))|childhood (?:friends?|home|memor\w+|photos?|pictures?|sweethearts?|bedroom|dreams?|
      toys?|album|diary|development|education|hero)
    """
)

OF_A_CHILD = listed(
    r"""
    - (?:<child>)(?:'s|s'|')(?! (?:first (?!photo|picture|shoes|tooth|lock|drawing)|choir|class|
      troupe|body|face|figure|self|form|physique|features|frame|version|age|eyes|skin|proportions|
      appearance|size|voice|build|head)) [\w']+(?: (?:drawings?|paintings?|toys?|books?|party|room|
      clothes))?
    - (?:puppet|wooden|toy|stuffed|paper|snow|gingerbread|plastic|marble|bronze|stone) (?:child|boy|
      girl|baby|kid)s?
    """
)
"""What belongs to a child, where the prompt speaks of an adult."""

SOMEBODY_ELSES = listed(
    r"""
    - (?:her|his|their) (?:\w+ )?(?:sons?|daughters?|child|kids?|nieces?|nephews?|twins?|grandsons?|
      granddaughters?|brothers?|sisters?|students?|pupils?|girl|boy)(?: \w+)?, (?:aged |age |only |
      just )?<minor_age>(?: and <minor_age>)?(?: years? old)?
    - (?:her|his|their|own|[\w]+'s) (?:<minor_age>(?: <years>) old|teenaged?|adolescent|infant|
      newborn|little|young|toddler|baby|<ordinal> grade) (?:\w+ )?(?:sons?|daughters?|child|
      children|kids?|boys?|girls?|twins?|grandsons?|granddaughters?|grandchild|grandchildren|
      nieces?|nephews?|brothers?|sisters?|students?|pupils?|patients?|siblings?|class|cousins?|
      godson|goddaughter|neighbou?rs?)
    - (?:daughter|son|child|kid|niece|nephew|grandson|granddaughter|twin|student|pupil)(?:'s|s')?
      (?:who is |aged |of |<ordinal> )+(?:<minor_age>|birthday)
    - (?:her|his|their) <minor_age> years? old(?= ?[.,;!]| ?$| (?:with|to|at|in|on|how|and|through|
      across|off|up)\b)
    - (?:a|an|one|two|twin|the) <minor_age> (?:<years>) old (?:\w+ )?(?:sons?|daughters?|nephews?|
      nieces?|grandsons?|granddaughters?|brothers?|sisters?|siblings?|cousins?|twins)
    - (?:<picture>|letters?|notes?|messages?) (?:of|to|from|about|with|for) (?:(?:her|his|their|a|
      the|own) ){0,2}(?:younger|childhood|teenage|child|little|former|<minor_age> year old) (?:self|
      selves)
    - (?:<picture>) (?:of|with) (?:herself|himself|themselves|her|him|them)(?:,)? (?:as (?:a |
      an )?<adj><child>|when (?:she|he|they) (?:was|were) (?:\w+ )?(?:<child>|little|young|small|
      <minor_age>))
    """
)

GROWN = listed(
    r"""
    - (?<!of a )(?<!of an )(?<!of the )(?<!of this )(?<!of her )
      (?<!of his )<adult_age>(?: ?(?:years?|yrs?|yo))(?: old| of age)?(?! (?:younger|older|ago|
      later|before|earlier|back|off|of (?!age)))
    - (?:around|about|aged?|now|at|is|looks?|looking|to|turn\w*|of|approximately|maybe|roughly|
      nearly|almost|circa|till|until|over|,) (?:age )?(?:of )?<adult_age>(?= ?[.,;!]| ?$| (?:in|
      with|on|at|and|again|now|who|as|\w+ing)\b| years? old)
    - (?:her|his|their|in|the) <decade>(?! (?:car|style|music|fashion|vhs))|(?:twenty|thirty|forty|
      fifty|sixty) ?something
    """
)
"""An explicit age of eighteen or more that somebody is said to have."""

GROWN_AFTER = listed(
    r"""
    - (?<=, )(?:(?:now|all|age|aged|about|around|each|both|over) )*<adult_age>(?: years? old)?
      (?= ?[.,;!]| ?$)
    - (?<=, )(?!an? |the |her |his )(?:\w+ ){0,2}?(?:men|women|man|woman|adults|ladies|
      gentlemen)(?: \w+)? (?:in (?:their|his|her) <decade>|(?:of |aged |over |around )?<adult_age>)
      (?= ?[.,;!]| ?$| (?:with|in|at|on|\w+ing)\b)
    """
)
"""The same, as words after a comma that can only mean somebody named before."""

CALLED_YOUNG = listed(r"- girls?|boys?|kids?|lads?|lass(?:ie)?(?:s|es)?|girlie")
"""What adults are called too, where such an age follows."""

NAMED = ("<child>", "teenaged?")
ADULT = ("<adult>",)
PICTURE = ("<picture>",)
ABOUT = (
    OF_A_CHILD, SOMEBODY_ELSES, GROWN, GROWN_AFTER, CALLED_YOUNG, NAMED, ADULT, PICTURE,
)  # fmt: skip
"""What the filter asks for one by one."""
