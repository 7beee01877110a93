"""The parts that rules about nudity are made of, and what only sounds alike.

Colours, swimwear, works of art that are looked at, birds and what else is harmless is left out of a
prompt before the rules are tried again.
"""

from mm_model.serving.words.rules import listed, parts

PARTS = parts(
    her=r"""
        her|his|their|its|the|my|your|our|all her|all his|all their|all the|all of her|all of
        his|all of their|all|every|each|every last|any""",
    own=r"""
        her|his|their|all her|all his|all their|all of her|all of his|all of their|(?:the |a |
        this |that |all the )?(?:woman|man|person|lady|guy|gentleman|model|subject|girl|boy)'s""",
    w=r"""
        (?:(?!(?:in|on|at|with|from|for|by|to|wearing|over|near|beside|while|before|after|as|of|
        that|which|matching|off|like|is|are|and then|but)\b)[\w']+,? ){0,3}""",
    garment=r"""
        undergarments|undergarment|underpants|raiment|nightdress|everything|brassiere|underwear|
        stockings|miniskirt|nightgown|loincloth|clothing|garments|knickers|lingerie|negligee|
        camisole|bodysuit|swimsuit|swimwear|trousers|leggings|bathrobe|sundress|clothes|garment|
        apparel|dresses|panties|bikinis|nightie|pajamas|pyjamas|chemise|leotard|attire|outfit|
        blouse|undies|boxers|briefs|corset|bodice|bikini|trunks|shorts|tights|kimono|sarong|
        dress|thong|pants|jeans|skirt|towel|bras|robe|gown|bra|bathing suit|g string|tank top|
        tunic|toga|speedos?|bikini (?:top|bottoms?)|swim trunks""",
    loose=r"""
        nightgown|underwear|loincloth|bathrobe|lingerie|garments|clothing|trousers|negligee|
        bedsheet|clothes|panties|nightie|shorts|jeans|boxers|briefs|swimsuit|bikini|kimono|
        blouse|sarong|towel|sheet|dress|skirt|pants|robe|gown|bra""",
    shirt=r"""
        shirt|t ?shirt|tshirt|tee|undershirt|vest|top""",
    undies=r"""
        undergarments|underpants|underwear|brassiere|jockstrap|lingerie|knickers|negligee|
        babydoll|panties|nightie|undies|boxers|briefs|thongs|thong|bra|g string|garter belt|boxer
        (?:shorts|briefs)|tighty whities|bra and panties""",
    cover=r"""
        headphones|earphones|wristwatch|goggles|sandals|flip flops|stickers|balloons|bandages|
        seaweed|satin sheets|silk sheets|bed sheets|sheets|boas?|sunglasses|goosebumps|
        suspenders|confidence|stilettos|stockings|jewellery|moonlight|starlight|bracelets|
        bedsheet|necklace|earrings|sunlight|sunshine|sneakers|slippers|diamonds|feathers|
        bracelet|blanket|jewelry|glasses|ribbons|perfume|cologne|flowers|shadows|bubbles|tattoos|
        feather|glitter|pearls|bowtie|ribbon|leaves|flower|petals|shadow|gloves|tattoo|breeze|
        helmet|corset|chains|garter|collar|anklet|choker|towel|sheet|smile|apron|scarf|boots|
        heels|socks|watch|paint|jewels|gems|beads|gold|shoes|cloak|hands|crown|tiara|chaps|chain|
        cream|water|steam|grin|hair|leaf|foam|soap|suds|skin|lace|cape|hand|arms|veil|belt|rope|
        tape|mist|hat|tie|bow|oil|mud|air|arm|fur""",
    cloth=r"""
        undergarments|undergarment|underpants|raiment|underwear|coverings|clothing|garments|
        trousers|swimsuit|swimwear|covering|textiles|lingerie|bathrobe|clothes|garment|apparel|
        panties|textile|attire|undies|bikini|fabric|stitch|thread|clothe|cloths|briefs|trunks|
        blouse|pants|dress|skirt|towel|jeans|gown|robe|bra|bathing suit|swim trunks|bikini top|
        article of clothing|outfit|costume""",
    intimate=r"""
        genitalia|buttocks|backside|genitals|privates|breasts|nipples|breast|bosoms|nipple|
        bottom|behind|bodies|crotch|vagina|boobs|bosom|groin|flesh|penis|pubis|boob|butt|rear|
        arse|body|bust|bum|ass|private parts|rear end|butt ?cheeks|intimate parts|tits|titties""",
    off=r"""
        take|takes|taking|took|taken|pull|pulls|pulling|pulled|peel|peels|peeling|peeled|slip|
        slips|slipping|slipped|slide|slides|sliding|slid|tear|tears|tearing|tore|rip|rips|
        ripping|ripped|throw|throws|throwing|threw|cast|casts|casting|strip|strips|stripping|
        stripped|whip|whips|whipping|kick|kicks|kicking|toss|tosses|tossing|shrug|shrugs|
        shrugging|ease|eases|easing|fling|flings|flinging|flung|get|gets|getting|got|yank|yanks|
        yanking|wriggle|wriggles""",
    shed=r"""
        remov\w+|sheds?|shedding|discard\w*|doff\w*|ditch\w*|lose|loses|unhook\w*|unclasp\w*|
        unfasten\w*|unlac\w+|untie|unties|untying|untied|unzip\w*|unbutton\w*|undo|undoes|
        undoing|shuck\w*|divest\w*|unwrap\w*|lower|lowers|lowering|lets? go of|rids? (?:her|
        him)self of""",
    only=r"""
        only|just|merely|solely|nothing but|nothing except|nothing other than|nothing more than|
        nothing besides|nothing save|little but|little more than|not much more than|barely more
        than|no more than|nothing apart from""",
    worn=r"""
        wear|wears|wearing|wore|worn|dressed|clad|clothed|attired|draped|garbed|adorned|sporting|
        sports|covered|wrapped""",
    dressed=r"""
        (?:wear|wears|wearing|wore|dressed|clad|clothed|attired|garbed|draped)(?: in| by| with)?""",
    whole=r"""
        (?:suits?|gowns?|tuxedos?|tux|dress|dresses|jeans|overalls|dungarees|uniforms?|coats?|
        jackets?|sweaters?|hoodie|hoodies|jumpers?|cardigan|blazer|tracksuit|pyjamas|pajamas|
        onesie|robes?|kimono|sari|t ?shirts?|tshirts?|tees?|shirts?|blouse|tops?|pants|trousers|
        shorts|skirt|leggings|kilt|tunic|toga|swimsuits?|swimwear|bathing suit|one piece|wetsuit|
        bikini|trunks|leotard|singlet|armou?r|costumes?|outfits?|clothes|clothing|garments?|
        raincoat|poncho|overcoat|tweed|denim|linen|wool|cotton|leather|velvet|rags|furs?|black|
        white|red|blue|green|gr[ae]y|pink|purple|yellow|brown|beige|navy|colou?rs?|vintage|
        designer|brands?|labels?|best|finest|latest|trends?|fashions?|made|organic|secondhand|
        second hand)(?![^\W_])""",
    loosens=r"""
        (?:comes? (?:loose|undone|open|off|untied|apart)|coming (?:loose|undone|open|off)|
        loosens?|unwraps?|unfastens?|unties|gives way|slips?|slipping|slides?|sliding|falls?|
        falling|fell|drops?|dropping|unravels?|tumbles?|glides?|flutters? (?:off|down|open))""",
    fall=r"""
        slip|slips|slipping|slipped|slide|slides|sliding|slid|drop|drops|dropping|dropped|fall|
        falls|falling|fell|pool|pools|pooling|pooled""",
    full=r"""
        completely|totally|fully|entirely|wholly|utterly|absolutely|partially|partly|half|semi|
        nearly|almost|barely|practically|stark|buck|butt|all|entire""",
    colour=r"""
        coral|berry|red|pink|rose|peach|beige|mauve|taupe|plum|brown|brick|ivory|cream|caramel|
        sand|blush|burgundy|wine|terracotta|nutmeg|black|white|gold|golden|silver|navy|blue|
        green|grey|gray|champagne|cocoa|apricot|tan|camel|purple|lilac|orange|yellow|crimson|
        scarlet|teal|rosa|rojo|rouge|rot|rosso|vermelho|negro|nero|noir|schwarz""",
    nude_thing=r"""
        lipsticks?|lips?|gloss|lipgloss|lip ?liner|liner|eyeliner|make ?up|heels?|pumps|
        stilettos|shoes?|sandals|flats|boots|nails?|polish|manicure|pedicure|tones?|shades?|
        colou?rs?|colou?red|toned|palettes?|mesh|illusion|panels?|fabric|lining|yarn|tulle|
        thread|tights|stockings|hosiery|pantyhose|eye ?shadow|shadow|blush|foundation|coat|
        trench|dress|gown|sweater|cardigan|suit|blazer|handbag|purse|clutch|bag|walls?|varnish|
        lacquer|balm|scarf|hijab|leather|bralette|range|collection|hues?|swatch(?:es)?|ribbon|
        curtains?|sofa""",
    foreign_thing=r"""
        labios|labial(?:es)?|pintalabios|batom|batons|esmaltes?|unhas?|unas|vernis|rouge a
        levres|rouge|ongles|levres|escarpins|talons|chaussures|rossett[oi]|smalt[oi]|unghie|
        labbra|scarpe|tacchi|decollete|lippenstift|lippen|nagellack|nagel|schuhe|farbton|ton|
        tono|tonos|tons|tom|toni|tonalidade?s?|zapatos|tacones|sapatos?|saltos|maquillaje|
        maquillage|maquiagem|trucco|vestido|kleid|bolso|bolsa|sac|borsa|sombras?|palett?es?|
        paletas?""",
    somebody=r"""
        wom[ae]n|m[ae]n|person|people|lady|girls?|boys?|guys?|models?|her|him|couple""",
    new=r"""
        (?:new|tailored|buys?|buying|bought|sewing|sews|orders?|custom|tweed|velvet|wool|linen|
        silk|pressed|ironed|irons|ironing|blue|navy|grey|gray|striped|pinstripe) (?:(?:a|an|his|
        her|the|new) )*""",
    becoming=r"""
        is|are|was|were|has|have|been|being|be|all|now|then|just|and|everything|else|suddenly|
        slowly|gradually|magically|digitally|completely|totally|fully|entirely|simply|starts?|
        starting|begins?|beginning|to|becomes?|becoming|turns?|turning|goes|going|go|gets?|
        getting|comes?|coming|bit by bit|piece by piece|one by one""",
    gone=r"""
        off|removed|gone|missing|undone|unhooked|unclasped|unfastened|untied|unlaced|unzipped|
        discarded|shed|invisible|transparent|see through|stolen|wiped|erased|deleted|away|
        vanish\w*|disappear\w*|dissolv\w*|evaporat\w*|disintegrat\w*|unravel\w*|(?:in)?to (?:ash|
        ashes|dust|smoke|nothing|thin air|shreds|glass|mist|vapou?r)|fad\w* away|melt\w* (?:off|
        away|from (?:her|his))|(?:pulled|yanked|tugged|slid|pushed|dropped) (?:down|aside)|
        (?:take|taken|yanked|pulled|peeled|cut|edited|photoshopped|airbrushed|torn|tear|tears|
        ripped|rip|rips|stripped|blown|blows?|wash|washed|washes|carried|swept|burn|burns|burned|
        burnt|drift|drifts|float|floats|crumble|crumbles|fly|flies|flown|eaten)(?: \w+ly)?
        (?:off|away|out|open|to shreds)""",
    sheer=r"""
        see through|see thru|transparent|translucent|sheer|diaphanous|gauzy|gossamer|x ray""",
)

HARMLESS = listed(
    r"""
    - nude(?: (?:matte|matt|glossy|soft|warm|satin|high|slip|pointed|patent|leather|suede|lip|eye|
      nail|pale|natural|cashmere|wool|silk|linen|cotton|lace|velvet|knit|ribbed|chunky|cropped|midi|
      maxi|pencil|strappy|block|kitten|stiletto|(?:and|or) <colour>|<colour>))* (?:colou?red |toned
      |lip |nail |eye )?(?:<nude_thing>)|nude(?:,? <colour>)*,? (?:and|or) <colour> (?:\w+
      )?(?:<nude_thing>)
    - (?:<nude_thing>)(?: (?:in|of|is|are|a|the|her|his|with|for|painted|color|colou?r|soft|pale|
      warm|matte|<colour>|or|and|between))+ nude(?! (?:<somebody>|body|bod|scene))
    - (?:<foreign_thing>)(?: (?:color|cor|couleur|colore|farbe|de|en|em|in|un|tono?|tom|mat|mate|
      opaco|rosado|rosa|beige|claro|pintad[oa]s?))* nudes?|nudes? (?:<foreign_thing>)
    - <colour>,? (?:and )?nude,? (?:and|or) <colour>|(?:between|in|of|either|colou?rs?|shades?|lips|
      nails) nude(?:,? <colour>)*,? (?:and|or|y|e|et|und|oder|ou|o) <colour>
    - (?:judge|boxer|priest|monk|wizard|graduate|academic|professor|bishop|king|fighter|choir)
      (?![^\W_])[^.]{0,30} (?:takes?|taking|took|slips?|throws?|drops?|removes?|sheds?|tosses)
      (?:off )?(?:his|her|the) (?:\w+ )?robes?(?: off)?
    - nudes (?:by \w+|in (?:a|the) (?:museum|gallery|louvre|prado|uffizi|exhibition|catalogue)|at
      the (?:museum|gallery|louvre|prado|uffizi)|on (?:the wall|canvas|display))|(?<!like )a nude by
      \w+
    - naked (?:cats?|dogs?|sphynx|chicks?|snails?|skeletons?|mannequins?|seeds?|oats?|eyes?|flames?|
      truth|(?:light ?)?bulbs?|light bulbs?|lights?|branch(?:es)?|trees?|twigs|boughs|oaks?|
      birch(?:es)?|vines|mole ?rats?|mole rats?|ambition|aggression|greed|hatred|fear|emotions?|
      honesty|cakes?|burritos?|bikes?(?! ride)|motorbikes?|motorcycles?|walls?|wires?|bricks?|
      rocks?|hills?|mountains?|cliffs?|earth|soil|ground|steel|blade|sword|pizza|juice|city|
      singularity|statistics|lunch|chicken|wings|gun|necks?|honesty|calories|ape|lady lily|brand|
      hope)
    - (?:eye|flame)s? naked|porn ?star martinis?|stripper (?:wells?|pump|column|clip|plate)|
      (?:discarded|second hand|used|old|donated|dirty|clean) (?:clothes|clothing) (?:pile|bin|heap|
      market|stall|bank|rack)|nude is (?:a|the|her|my) (?:\w+ ){0,2}(?:colou?r|shade|tone)|naked
      (?:ends?|cables?|copper|metal|iron|concrete|stone|chef|neck|necked|raygun|attraction board)
    - (?:feels?|felt|feeling|looks?|looked|seems?) (?:\w+ )?naked without (?:(?:her|his|their|a|the|
      any) )?(?:\w+ )?(?:phone|watch|glasses|ring|camera|beard|mustache|moustache|make ?up|hat|tie|
      guitar|notebook|wallet|keys|jewelry|earrings|it|furniture|leaves|christmas tree|decorations)
    - (?:mannequins?|dolls?|dumm(?:y|ies)|scarecrows?)(?:,? (?:is|are|stands?|half|partly|fully|
      still|left))* (?:un)?(?:dressed|naked|nude|bare|unclothed)|sphynx(?: cats?)?,? (?:is |looks
      )?(?:naked|nude|bare)
    - (?:blue|red|brown|masked|nazca|peruvian) (?:footed )?boob(?:y|ies)|booby (?:traps?|prizes?|
      birds?)|(?:big|giant|huge|bad|lazy|long) ass (?!and|in|on|out|is|naked|up|girl|woman|man|
      jiggl|shak|bounc|twerk|show|to|with|while|as|for)\w+|full frontal (?:view|shot|photo|picture)
      of (?:the|an?) (?!<somebody>)\w+|full frontal (?:attack|assault|charge|offensive|collision|
      crash|lobotomy)
    - (?:drop|pick|send|tak|bring|carr|collect|fetch)\w* (?:[\w']+ ){1,4}(?:off )?(?:at|to|from)
      (?:the|a|her|his) (?:\w+ )?(?:dry ?cleaners?|cleaners|laundry|laundromat|tailor|seamstress|
      charity shop|thrift store|donation \w+|goodwill|launderette)
    - topless (?:(?:red|old|vintage|classic|blue|white|black|sports|open) )*(?:convertibles?|cars?|
      jeeps?|roadsters?|bus(?:es)?|cabs?|vehicles?|tower|towers|cadillac|mustang|corvette|ferrari|
      land rover|wrangler|double decker|truck|train)
    - topless (?:is |are |bathing )?(?:banned|forbidden|prohibited|not allowed)|bottomless
      (?:mimosas?|brunch|pit|coffee|fries|cup|glass|drinks?|soda|well|lake|bag|ocean)
    - (?:trees?|branch(?:es)?|room|walls?|shelf|shelves|hills?|landscape|stage|cupboards?|
      floor)(?:,? (?:is|are|was|were|stands?|stood|left|now|that|which|almost|half|completely|
      totally|entirely|all|nearly))* (?:naked|bare|stripped|exposed|uncovered)
    - (?:no|not|non|without|without any|never|isn't|is not|aren't|are not|free of|avoids?|avoiding|
      against|zero) (?:(?:a|any|at all|even|being|remotely|explicit) )*(?:nud\w+|naked\w*|topless|
      porn\w*|undress\w*|sexual|sex|nsfw|erotic\w*|unclothed|lewd|strip\w*)
    - (?:fully|properly|well|neatly|warmly|formally|modestly|completely) (?:clothed|dressed|covered|
      clad)
    - no shirt,? no shoes(?:,? no service)?
    - (?:chicken|turkey|duck|goose|roast|grilled|pheasant|quail) breasts?|breast (?:pocket|stroke|
      cancer|plate|screening|milk|pump|feeding|exam|of (?:chicken|duck|turkey))|breaststroke|breast
      ?fe(?:ed|eds|eding|d)|(?:double|single|red) breasted|robin red ?breast|red ?breast|(?:marble|
      bronze|plaster|stone) bust|bust of|keeps? abreast
    - (?:blue|great|coal|marsh|willow|crested|bearded|long tailed|penduline) tits?|tit(?:s)?
      (?:feeding|perched?|on a branch)|tit for tat|tits? at (?:the|a) feeder
    - (?:same|opposite|fair|fairer|either|both|weaker|biological|unisex) sex(?:es)?|sex
      (?:therap\w+|research\w*|positive|ratios?|equality|linked|on the beach (?:cocktail|drink)|
      education|and the city|pistols|ed|chromosomes?|discrimination|hormones?)|sexual (?:health|
      education|harassment|assault (?:awareness|prevention)|reproduction|selection)|battle of the
      sexes
    - (?:a|the) cock (?:crows?|crowing|fights?)|cock a doodle doo|moby dick|dick (?:tracy|van dyke|
      cheney|clark|whittington|grayson)|pussy ?(?:willows?|cats?|foot\w*|riot)
    - erection of (?:a|the|new)|pole ?vault|golf threesome|threesome (?:of )?(?:golf|tee)\w*|social
      intercourse|cum laude|army privates|bondage (?:of|to)|kinky (?:\w+ )?(?:hair|curls?|twists?|
      afro|braids?)|bosom (?:friends?|buddy|buddies|pals?)|groin (?:injury|pull|strain|guard)|
      mineral cleavage|cleavage (?:planes?|of (?:the |a |an )?(?:\w+ )?(?:mica|crystals?|rocks?|
      minerals?|slate|gems?))
    - (?:comic|film|landing|air|drag|power|led|gold|bacon|magnetic|rumble|median|paper|test|weather|
      bimetal|carpet|grass|coastal|gaza|sunset|vegas|narrow|thin|long|leather|velcro|photo) strips?|
      strips? (?:of|mall|malls|gold|lights|lighting|steak|cartoon|the (?:paint|wallpaper|bed|sheets|
      beds|varnish|bark|leaves|wood|wires?|floor|furniture|old|engine|gears?|screw|thread))|
      stripping (?:the )?(?:paint|wallpaper|wood|wires?|furniture|bark|old|floors?|varnish)|
      (?:paint|wire|floor|wax|cable) stripp(?:ers?|ing)|(?:vegas|sunset|the) strip(?= at| in| by|$)|
      stripped (?:\w+ )?(?:paint|wood|pine|floors?|floorboards|wires?|back (?:acoustic|version|set))
    - undress(?:ed|es|ing)? (?:(?:a|an|the|his|her|each|every) )?(?:(?!wom|man|men|person|lady|girl|
      guy|model)\w+ )?(?:wounds?|burns?|injur\w+|cut|bandages?|stitches|leg|salad|lettuce|greens)|
      half (?:un)?dressed (?:salad|greens|mannequins?|tree|window|set|wound)|undress(?:ed|es|ing)?
      (?:stone|wood|(?:a|the) (?:mannequin|doll|window|dummy|scarecrow|set|turkey|christmas tree))
    - (?:<new>)birth ?day suit(?= ?[.,;!]| ?$| (?:is|was|from|at|for|that|with (?:a|an) (?:\w+
      )?(?:vest|waistcoat|tie)))|birth ?day suit(?:,? (?:he|she|is|was|has|wears|turns|out|to|be|
      that|which|a|an|his|her|new|of|in|made|from|tailored|the|with|\w+ly|<colour>))*,? (?:(?:two|
      three) piece|tailored|tweed|pinstripe|velvet|linen|wool(?:len)?|silk|satin|sequin\w*|cotton|
      seersucker|tuxedo|denim|dinner jacket|<colour>)(?! skin)
    - (?:data|numbers|figures|logs|footage|files?|emotions?|honey|ore|materials?|fish|oysters?|
      truth|life|nature|talent|power|sound|recorded|image|images|jpegs?|shoots?|photographs?|
      photos?|photographed|camera|sashimi|reality)(?: \w+){0,2} in the raw|in the raw (?:data|
      format|footage|ore|file|material|sashimi|image)|au naturel (?:\w+ )?(?:salmon|yogh?urt|
      potatoes|vegetables?|oysters?|fish|chicken|tuna|cooking|cuisine|sauce|wood|hair|look)|
      (?:vegetables?|yogh?urt|tuna|oysters?|potatoes|salmon|food|dish|fish|steak|eggs?|hair|fruit|
      cooked|served|cooks?|cooking|steamed|grilled|serves)(?: \w+){0,4} au naturel
    - full monty (?:\w+ )?(?:breakfast|fry ?up|english|treatment|plate|package|menu|sandwich)|skinny
      dip(?:s|ping)? (?:sauces?|recipe|and chips|platter)|(?:low (?:fat|calorie)|spinach|yogh?urt|
      onion|avocado) skinny dips?
    - (?:in|the) (?:buff|raw) (?:colou?r\w*|envelopes?|leather|coat|suede|paper|uniform|stone|
      walls?|cardboard|brick|linen)
    - strips? (?:down )?(?:the|an?|his old|her old|his|her|that|this) (?:\w+ ){0,2}(?:engine|
      motor\w*|bike|bicycle|rifle|gun|gearbox|carburettor|carburetor|machine|bed|beds|wires?|
      cables?|paint|wallpaper|bark|leaves|door|chair|table|dresser|floor\w*|deck|boat|guitar|corn|
      herbs?|thyme|rosemary|cabinet|mattress|wall\w*|beam\w*|radio|clock|car)|stripp(?:ed|ing)
      (?:down )?(?:the |an? |his |her |that )?(?:\w+ ){0,2}(?:engine|motor\w*|bike|rifle|gearbox|
      machine|bed|beds|wires?|cables?|paint|wallpaper|bark|leaves|door|chair|table|floor\w*|deck|
      boat|guitar|corn|back)|stripp(?:ed|ing) (?:back|down) (?:\w+ )?(?:acoustic|version|design|set|
      arrangement|style|sound|song|look|decor|interior|stage|performance|minimal\w*)
    - expos(?:ed|es|ing) (?:himself |herself |themselves |itself )?to (?:\w+ )?(?:sun|sunlight|
      danger|risk|criticism|cold|wind|radiation|elements|gold|new|the|heat|rain|ridicule)
    - (?:towels?|robes?|sheets?|dress|clothes|gowns?) (?:<fall>) (?:off|from) (?:the|a|its) (?:\w+
      )?(?:rack|hook|hanger|rail|line|bed|shelf|chair|table|sofa|counter|peg|ceiling)
    - (?:in|wear\w*) (?:nothing but|only|just) (?:[\w']+ ){1,6}(?:over|on top of) (?:her|his) (?:\w+
      )?(?:clothes|dress|suit|shirt|jeans|uniform)|transparent dress forms?|intercourse,?
      (?:pennsylvania|pa)\b
    - in (?:the|their|its) natural state park
    - sports bras?|(?:thermal|long|ski|wool(?:len)?) (?:underwear|undies)|legal briefs|news briefs|
      thong sandals?|bra(?:s)? strap adjust\w*|underwear (?:store|shop|ad|advert\w*|drawer|aisle|
      department|brand|billboard)|lingerie (?:store|shop|ad|advert\w*|drawer|aisle|department|
      boutique|brand|section|billboard|designer|factory|sign|window|salesman|saleswoman)
    - (?:wear\w*|wore|dressed in|clad in|in) nothing but (?:(?:\w+ ){0,2}(?:suits?|swimsuit|swim
      ?trunks|bikini|tuxedo|jeans|gowns?|overalls|uniform|armou?r|dresses|brands?)|(?:black|white|
      red|blue|green|gr[ae]y|denim|wool|linen|cotton|pink|vintage|designer|colou?rs?)(?=
      ?[.,;!]| ?$| (?:and (?:black|white|gold|red|gr[ae]y|linen|denim)|clothes|suits|dresses|\w+
      suits|for|at|all|on|to|since)))
    - (?:wear\w*|wore|dressed in|clad in) nothing (?:special|fancy|unusual|new|expensive|too|flashy|
      warm|formal|out of the ordinary|extraordinary|remarkable|elegant|bright|colou?rful|that)
    - (?:wrapped|clothed|clad|dressed|draped|attired) (?:only|solely|just|merely|purely) (?:in|by|
      with) (?:(?:the |her |his |their |a |an )?(?:\w+ )?(?:black|white|red|blue|green|gr[ae]y|gold|
      pink|purple|brown|beige|denim|wool|linen|cotton|vintage|designer|tweed|leather|jeans|suits?|
      armou?r|uniforms?|gowns?|overalls|tuxedo|colou?rs?|robes|rags|furs|swimsuit|bikini|trunks|
      dresses|capes?|kilts?))(?= ?[.,;!]| ?$| (?!paint|skin|lingerie|underwear|boots|heels|socks|
      panties))
    - (?<!leave )(?<!leaves )(?<!leaving )(?<!keep )nothing on (?:(?:her|his|their|the|tv|my|your|
      our|a|top|screen|display|it|you|me|them|earth|either|this|that|these|those|air|netflix)
      ?)+(?:mind|table|desk|plate|walls?|shel\w+|screen|agenda|schedule|phone|feet|head|list|menu|
      back|hands?|radio|television)?
    - transparent (?:\w+ )?(?:raincoat|umbrella|poncho|visor|mask|face shield|veil|rain jacket|
      backpack|bag|glass|phone|screen|frames?)|(?:see through|clear) (?:\w+ )?(?:raincoat|umbrella|
      poncho|rain jacket|visor|backpack|bag|curtains?)|sheer (?:\w+ )?(?:curtains?|cliffs?|drop|
      rock|joy|luck|will ?power|delight|force|size|volume|tights|stockings|hosiery|scarf|shawl|veil|
      sleeves?|face|walls?|drapes?|lip\w*|blush|happiness|determination|panic|terror|excitement)
    - emperor'?s new clothes (?:book|story|tale|play|musical|poster|ballet)
    - (?:looks? at|looking at|gaz\w+ at|admir\w+|stud(?:ies|ying)|walks? past|walking past|in front
      of|beside|next to|near|behind|past|restor\w+|sketch\w*|paints?|photograph\w*|guard\w*|
      describ\w+|cleans?|dusting) (?:a|an|the|some|two|several) (?:\w+ ){0,3}nudes? ?(?:statues?|
      paintings?|sculptures?|figures?|frescos?|frescoes|marble|art|drawings?|sketch(?:es)?)?(?=
      by\b| in (?:a|the) (?:museum|gallery|louvre)|$|,|\.| on the (?:wall|canvas))
    - nude (?:statues|paintings|sculptures|frescoes|figurines|marbles)(?! of (?:her|him|me|them|
      us)\b)|nude (?:statue|painting|sculpture|portrait|drawing) (?:hang\w*|above|over|on display)|
      nude (?:statues?|paintings?|sculptures?|frescoes|figurines?) (?:behind|on the wall|in the
      (?:background|museum|gallery|garden|hall|square)|in a (?:museum|gallery))
    - (?:sculpt|chisel|carv|paint|sketch|draw|mou?ld|cast|restor|auction|sell|buy|bid|hang|apprais|
      admir|fram|steal|unveil)\w*(?: (?!wom|man|person|lady|guy|girl|boy)[\w']+){0,3} (?:a|an|the|
      some|two) (?:(?!wom|man|person|lady|guy|girl|boy)\w+ ){0,2}(?:nude torsos?|nude figures?|nude
      statues?|nude busts?|nudes?)(?= ?[.,;]| ?$| (?:in|out of|from|of) (?:marble|clay|bronze|wood|
      stone|plaster|wax|charcoal|oils?|pastel|a museum|the museum)| to (?:the|a)\b)
    - (?:striptease|strip club|topless bar|burlesque|playboy|pin ?up) (?:posters?|signs?|neon|
      billboards?|flyers?|calendars?|logo)
    - love scene (?:\w+ )?(?:on|from|in) (?:the |a )?(?:balcony|romeo|play|opera|stage|script|novel|
      rehearsal)|(?:rehears\w*|stage|shakespeare\w*|opera|balcony) love scene
    - (?:trees?|branch\w*|oak|birch|elm|twigs?|bush|hedge|vines?|plant|garden)(?: [\w']+){0,4}
      (?:no|without) (?:\w+ )?leaves
    - (?:<dressed>|in) nothing (?:else )?but (?:(?!<cover>|<undies>)[\w']+ ){0,3}?(?:suits|gowns|
      uniforms?|dresses|jeans|overalls|tweed|denim|robes|costumes?|armou?r|tuxedos?|designers?|
      brands)
    - in nothing but (?:a |an )?(?:\w+ ){0,2}?(?:mood|hurry|rush|trouble|debt|name|trance|daze)
    - 18 ?(?:\+|plus) (?:only )?(?:concert|event|venue|club|show|gig|festival|party|tour|night|
      ticket|crowd|audience|bar)s?
    - (?:nude|naked|topless|nudist|erotica?|porn\w*|sex|strip\w*) (?:beach |club |bar )?(?:signs?|
      shelf|shelves|section|aisle|industry|law|laws|ban|statute|scandal|trial|addiction|studies|
      sells|work laws?|strike)(?! star)|sex and gender|gender and sex|(?:sex|nudity) in (?:art|
      literature|advertising|film|the bible)
    - (?:gallery|museum|exhibition|room|hall|wall|collection|book|catalogue|history) (?:full )?of
      (?:(?!her|his)\w+ ){0,2}nudes|nude (?:study|studies|sketch|sketches) (?:is |are |hangs? |
      stands? |lies? )?(?:pinned |drying )?(?:on|above|over|against|behind) (?:the|an|his|her|a)
      (?:easel|wall|desk|fireplace|table)
    - grease nipples?|nipples? of (?:a |the )?(?:baby )?(?:bottle|bottles)|bottle nipples?|crotch of
      (?:a|the|an) (?:tree|branch|oak)
    - (?:[\w']+ ){1,3}(?:is|was) the (?:name|title) of (?:the|a|his|her|their) (?:band|book|film|
      song|play|perfume|lipstick|boat|horse|album|exhibition|shade|colou?r)
    - (?:beach|dish|tea|paper|kitchen|hand|bar) towels? (?:flies|flutters?|blows?|drifts?|flap\w*|
      hangs?|lies)(?: away| off| over)?
    - naked (?:ring )?(?:fingers?|wrists?|scalp|chin|lips?|earlobes?|eyelids?|face)|(?:varnish|
      paint|wallpaper|wire|floor) strippers?|strippers? of (?:old )?(?:paint|varnish|wallpaper)|
      everything (?:\w+ )?off (?:the|a|an|my|his|her) (?:shelf|shelves|table|desk|walls?|counter|
      floor|menu|list|truck|hook|rack|bed|plate|plates|chest of)
    """
)
