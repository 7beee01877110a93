"""What counts as sexual, in English: intimate parts by name, sexual acts and their trade, with why.

Birds, breast pockets, sex education and what else has such a word in it is left out of a prompt
before these rules are tried again (`nudity_parts.HARMLESS`).
"""

from mm_model.serving.words.rules import Rule, listed

RULES = (
    Rule(
        "intimate parts",
        listed(
            r"""
            - boob(?:s|ies|y)?(?! trap)|titt(?:y|ies)|tits|nipples?|areolas?|genital(?:s|ia|ly)?|
              peni(?:s|ses)|vagina\w*|vulva\w*|labia|puss(?:y|ies)|clit\w*|scrotum|testicles?|
              phallus|buttocks|butt ?cheeks?|butt ?(?:crack|hole)s?|anus|pubic|pubes|private
              (?:parts|areas?)|intimate (?:parts|areas?|zones?)|nether regions|lady bits|naughty
              bits|unmentionables|cleavage|crotch(?:es|less)?|dick pics?|nips (?:visible|show\w*|
              poke\w*|out)|(?:<own>) (?:\w+ )?(?:junk|wiener|willy|schlong|johnson)
              (?= ?[.,;!]| ?$| (?:at|to|out)\b)|(?:wiener|willy|schlong|bottom|tits|boobs)
              (?:hanging )?out(?= ?[.,;!]| ?$)|(?:his|crotch|visible|trouser) bulge|bulge
              (?:outlined|visible|in (?:his|the) (?:pants|trunks|briefs|jeans|shorts))|boners?|
              erections?|bosoms|pudenda|derriere|(?:<own>) (?:\w+ )?(?:privates|bosom|loins exposed|
              dick|cock(?! (?:crow|tail))|rack|manhood|womanhood)|(?:erect|hard|huge|throbbing)
              (?:cock|dick|member)
            - (?:her|she|woman'?s?|large|big|huge|full|small|perky|ample|natural|bouncing|round|
              heaving|lady's|firm|swollen|voluptuous|both|his|with|of|the|and) breasts?
              (?! ?(?:pocket|stroke|of|cancer|plate))|breasts
            - (?:sexy|naked|big|round|tight|nice|juicy|perfect|shows? (?:her|his)|showing (?:her|
              his)|her) (?:ass|arse)(?!\w)(?! (?:off|kicked|on|and cart))
            - (?:show\w*|moon\w*|flash\w*|wiggl\w*|naked|sexy) (?:<own>) (?:\w+ )?(?:butt|bottom|
              bum|backside|behind|rear)|mooning|moons (?:the|at|us|everyone)
            """
        ),
    ),
    Rule(
        "sexual acts and their trade",
        listed(
            r"""
            - sex(?!ton)(?:y time|ting|ted|ts|t|ual|ually|ualized|ualised|capade)?(?! (?:of the|at
              birth))|(?:oral|anal|group) sex|porn\w*|p[0o]rn\w*|pr0n|x ?x ?x+|x rated|nsfw|not safe
              for work|erotic\w*|erotica|hentai|futa(?:nari)?|kama ?sutra|(?:in bed|under the
              (?:sheets|covers)).{0,30} thrust\w*|ahegao|rule ?34|only ?fans|orgasm\w*|climaxing|
              masturbat\w*|pleasur\w+ (?:her|him)self|(?:touch(?:es|ing)|fondl\w+|strok(?:es|ing)|
              caress\w*) (?:her|him)self(?! (?:on|with a))|self pleasur\w+|moan(?:s|ing) (?:in|with)
              (?:pleasure|ecstasy)|fellatio|cunnilingus|blow ?jobs?|hand ?jobs?|fornicat\w*|
              copulat\w*|intercourse|coitus|fuck\w*|cum ?shots?|cumming|gang ?bangs?|threesomes?|
              org(?:y|ies)|dildos?|sex toys?|bdsm|bondage|dominatrix|fetish\w*|kinky|strip ?teas\w+|
              strippers?|strip (?:clubs?|joints?|shows?)|lap ?danc\w+|peep ?shows?|cent(?:er|
              re)folds?|smut\w*|lewd\w*|raunchy|horny(?! (?:toad|frog|goat|lizard))|camgirls?|
              cam ?girls?|escort service|sensual massage|mak(?:e|es|ing) love(?! (?:letters?|songs?|
              potions?|notes?))|made love|love ?making|having it off|doggy ?style|missionary
              position|burlesque striptease|spread(?:s|ing)? (?:her|his) legs|legs (?:spread|
              open)(?: wide)?(?= ?[.,;!]| ?$)|between (?:her|his) legs|groping|gropes?|foreplay|
              intimate (?:sexual|bedroom) \w+|bedroom scene|love scene|rid(?:es|ing) (?:him|her)
              (?= ?[.,;!]| ?$| (?:in bed|hard|on the bed|like a cowgirl|reverse))
            - adult[ ]?(?:films?|movies?|videos?|content|entertainment|sites?|star|magazines?|
              material|scene|only (?:content|video|scene|site|material|photos?))(?! education)|
              adults only (?:content|video|scene|site|material|photos?)|explicit (?:content|scene|
              pose|photos?|images?|video|acts?|details?|material|imagery|shot)|(?:visually|
              graphically) explicit|18 ?\+|18 plus|(?<!is )uncensored|no censor(?:ship|ing|s)?|
              without censor\w*|doing it in bed|explicit(?= ?[.,;!]| ?$)|playboy (?:model|shoot|
              photo ?shoot|spread|cover|magazine|pose|style|bunny|pictorial)|(?:in|of|for|style of)
              (?:playboy|penthouse|hustler)|obscene (?:pose|act|gesture|photo|picture|video|image)|
              pornstar
            """
        ),
    ),
)
