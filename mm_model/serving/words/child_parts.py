"""The parts that rules about children are made of, and what tells whom a prompt is about."""

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
    number_word=r"""
        seventeen|thirteen|fourteen|fifteen|sixteen|eleven|twelve|three|seven|eight|four|five|
        nine|one|two|six|ten""",
    kin=r"""
        (?:sons?|daughters?|nephews?|nieces?|grandsons?|granddaughters?|grandchild(?:ren)?|
        grandkids?|god ?sons?|god ?daughters?|step ?sons?|step ?daughters?)(?![^\W_])""",
    grown_life=r"""
        (?:\b(?:adult|grown|married|wedding|weds|bride|groom|husband|wife|fiancee?|beard\w*|
        moustache|office|boardroom|university|college|graduat\w*|phd|law firm|soldier|army|navy|
        marines?|pilot|surgeon|doctor|nurse|lawyer|engineer|professor|ceo|firefighter|police\w*|
        pregnant|retired|bald|middle aged|man|woman|pub|bar|whisky|beer|wine|forties|thirties|
        fifties|sixties|twenties)\b)""",
    animal=r"""
        (?:gorillas?|chimps?|chimpanzees?|orang ?utans?|monkeys?|apes?|baboons?|elephants?|
        lions?|tigers?|bears?|cubs?|wolf|wolves|fox|foxes|deer|fawn|horses?|foals?|dogs?|
        pupp(?:y|ies)|cats?|kittens?|birds?|eagles?|hawks?|owls?|falcons?|penguins?|whales?|
        dolphins?|seals?|sharks?|turtles?|tortoises?|snakes?|lizards?|crocodiles?|alligators?|
        giraffes?|zebras?|rhinos?|hippos?|kangaroos?|koalas?|pandas?|llamas?|alpacas?|camels?|
        goats?|sheep|lambs?|cows?|calf|calves|pigs?|piglets?|hedgehogs?|squirrels?|rabbits?|
        hares?|otters?|beavers?|bats?|mammoths?|dinosaurs?|dragons?|griffins?|unicorns?|salmon|
        trout|octopus|trees?|planets?|stars?|volcano|robots?)(?![^\W_])""",
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
        teens?|(?:girl|boy|woman|lady) ?child(?:ren)?|(?:a|the|this) minor(?= (?:version|again)
        (?![^\W_])| \w+(?:s|ing)(?![^\W_]))|little (?:one|ones|lad|fellow|miss|missy|princess|
        prince|angel|cherub|darling|munchkin)|young (?:one|ones|lad|master|miss|un|'un)|(?:grade|
        middle|high|elementary|primary|junior high|nursery|secondary) ?schoolers?|(?:<grade>)
        graders?|(?:elementary|primary|grade|middle|high|nursery|junior high|secondary) ?school
        (?:students?|pupils?|kids?|child|children|girls?|boys?|freshm[ae]n|sophomores?|juniors?|
        seniors?|age|aged|cheerleaders?|quarterback|athletes?|prom (?:queen|king))|school
        age(?:d)?|(?:preschool|nursery|toddler|infant|child|childhood|teenage|teen|kindergarten)
        age|(?:<grade>) grade (?:students?|pupils?|kids?|boys?|girls?|child|children)|junior high
        (?:students?|kids?|girls?|boys?|pupils?)|kindergarten (?:age|aged|pupil|student)|
        (?:school|grammar school) pupils?|(?:girl|boy|cub) scouts?|brownie scout|choir ?boys?|
        altar boys?|paper ?boys?|child prodigy|flower girls?|small fry|babe in arms|ring
        bearers?|(?:a|the|this|each) pupils? (?:in (?:a |his |her |the )?(?:\w+ )?(?:uniform|
        class\w*|school)|at (?:a|the|his|her) (?:desk|blackboard|board|school)|rais\w+|recit\w+)|
        (?:daycare|preschool|kindergarten|nursery|school) (?:nap ?time|recess|playtime|field
        day)|recess at|little leaguers?|little league (?:team photo|player|pitcher|batter|
        uniform|star)|(?:junior high|middle school|elementary school|primary school|kindergarten|
        preschool) (?:dance|play|recital|graduation|talent show|science fair|spelling bee|field
        trip|picture day|prom|bully)|preemies?|sprogs?|ankle biters?|rug ?rats?|whipper
        ?snappers?|teeny ?boppers?|foundlings?|bundle of joy|a wee? ?wean|a wean(?! off)|weans(?!
        (?:off|her|him|the))|lass(?:ie|y|ies|es)|ladd(?:ie|y|ies)|girl(?:ie|ies|y)|young ?'?uns?|
        sonny boy|(?:freshm[ae]n|sophomores?|juniors?|seniors?) (?:in|at|of) (?:\w+ )?(?:high
        school|middle school|junior high)|wee (?:lad|lass|one|bairn)""",
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
        he|we|i|\w{4,}(?:ologist|ician|keeper|maker|worker|wright|smith|person|driver|man|men|
        woman|women)|(?:cartoon|illustr|novel|pian|violin|guitar|cell|art|styl|journal|chem|
        physic|flor|archiv|portrait|essay|drama|lingu|flaut|organ|motor|cycl|tax|caricatur|
        machin)ist|illustrator|animator|sculptor|narrator|director|inspector|conductor""",
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
    - (?:<picture>) (?:of|with) (?:herself|himself|themselves|her|him|them)(?:,)? (?:as (?:a |an
      )?<adj><child>|when (?:she|he|they) (?:was|were) (?:\w+ )?(?:<child>|little|young|small|
      <minor_age>))
    """
)

GROWN = listed(
    r"""
    - (?<!of a )(?<!of an )(?<!of the )(?<!of this )(?<!of her )(?<!of his )<adult_age>(?:
      ?(?:years?|yrs?|yo))(?: old| of age)?(?! (?:younger|older|ago|later|before|earlier|back|off|
      of (?!age)))
    - (?:around|about|aged?|now|at|is|looks?|looking|to|turn\w*|of|approximately|maybe|roughly|
      nearly|almost|circa|till|until|over|,) (?:age )?(?:of )?<adult_age>(?= ?[.,;!]| ?$| (?:in|
      with|on|at|and|again|now|who|as|\w+ing)\b| years? old)
    - (?<=, )<adult_age>(?= ?[.,;!]| ?$| (?:in|with|on|at|and|who|as|\w+ing)\b)
    - (?:her|his|their|in|the) <decade>(?! (?:car|style|music|fashion|vhs))|(?:early|mid|late)
      (?:twenties|thirties|forties|fifties|sixties|seventies|eighties)|(?:twenty|thirty|forty|fifty|
      sixty) ?something
    """
)
"""An explicit age of eighteen or more that somebody is said to have."""

GROWN_AFTER = listed(
    r"""
    - (?<=, )(?:(?:now|all|age|aged|about|around|each|both|over) )*<adult_age>(?: years? old)?(?=
      ?[.,;!]| ?$)
    - (?<=, )(?!an? |the |her |his )(?:\w+ ){0,2}?(?:men|women|man|woman|adults|ladies|gentlemen)(?:
      \w+)? (?:in (?:their|his|her) <decade>|(?:of |aged |over |around )?<adult_age>)(?=
      ?[.,;!]| ?$| (?:with|in|at|on|\w+ing)\b)
    """
)
"""The same, as words after a comma that can only mean somebody named before."""

CALLED_YOUNG = listed(r"- girls?|boys?|kids?|lads?|lass(?:ie)?(?:s|es)?|girlie")
"""What adults are called too, where such an age follows."""

NAMED = ("<child>", "teenaged?")
ADULT = ("<adult>",)
PICTURE = ("<picture>",)
ABOUT = (
    OF_A_CHILD,
    SOMEBODY_ELSES,
    GROWN,
    GROWN_AFTER,
    CALLED_YOUNG,
    NAMED,
    ADULT,
    PICTURE,
)
"""What the filter asks for one by one."""
