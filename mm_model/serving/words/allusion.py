"""What counts as asking for nudity by an allusion, in English: clothes left somewhere, cloth too
thin, parts shown closely, works of art brought to life, words of the trade and of software.
"""

from mm_model.serving.words.rules import Rule, listed

RULES = (
    Rule(
        "clothes that are left, torn or called off",
        listed(
            r"""
            - off with (?:the|her|his|that|those) (?:\w+ )?<garment>
            - (?:last|final|remaining) (?:piece|item|article|bit|scrap|layer) of (?:\w+
              )?(?:clothing|fabric|cloth|lingerie) (?:hits?|lands?|falls?|drops?|goes|comes|flies|is
              gone|slips)
            - (?:textile|fabric|swimwear|swimsuit) free(?! (?:returns|shipping))
            - (?:swimsuit|dress|clothes|clothing|bikini|gown|outfit|garments)(?: \w+){1,4} (?:on|
              over) (?:the|a) (?:\w+ )?(?:sand|shore|rocks?|bank|branch|beach|pier|dock|grass|
              riverbank)\b.{0,40}(?:swims?|swimming|wad(?:es|ing)|into the (?:water|waves|sea|lake|
              river)|dives?|bath(?:es|ing)|plunges?)
            - trail of (?:\w+ )?(?:clothes|clothing|garments|lingerie|underwear)
            - (?:rip|tear|whip)(?:s|ping|ing)? off (?:trousers|pants|jeans|shorts|clothes|
              everything|dress|bra|panties)(?= ?[.,;!]| ?$| (?:and|in|on)\b)
            - (?:pull|push|roll|slid|slip|tug|yank|lower|peel)\w* (?:the|her|his|their) (?:\w+
              )?(?:dress|gown|top|blouse|bodice|robe|swimsuit|nightgown|bikini|bra) down(?=
              ?[.,;!]| ?$| to\b)
            - towel\b.{0,30}(?:about to|threatens to|threatening to|ready to) (?:drop|fall|slip|go)
            - (?:<cover>|harness|earrings|bow tie|collar|cuffs) and (?:nothing|little|not much|not a
              lot) (?:else|more|other)(?= ?[.,;!]| ?$| on\b)
            - (?:,|and|but) nothing (?:above|below|elsewhere|up top|on top|down there|down below)(?=
              ?[.,;!]| ?$)
            - (?:only|just|nothing but) (?:bare |her |his |their )?skin (?:underneath|beneath|below|
              under (?:it|that|there))
            - (?:clothes|clothing|garments|outfit|attire|swimwear) ?:? optional|no wardrobe(?=
              ?[.,;!]| ?$)
            """
        ),
    ),
    Rule(
        "cloth too thin, and what is shown closely",
        listed(
            r"""
            - so (?:thin|sheer|tight|wet|short|low|tiny|skimpy|flimsy)(?: that| you| one)?(?:
              [\w']+){0,4} (?:everything|all of (?:her|him)|nipples|breasts|(?:whole|entire) body|
              nothing is hidden|bare skin)
            - (?:close ?up|zoom\w*|focus\w*|camera (?:lingers|stays|glides|pans|moves)) (?:in
              )?(?:on|of|onto|over|to) (?:her|his) (?:\w+ )?(?:butt|ass|booty|bottom|buttocks|
              backside|rear|crotch|breasts?|boobs|cleavage|groin|nipples)
            - (?:butt|ass|booty|behind|rear|bum)\b.{0,40} twerk\w*|twerk\w*\b.{0,40} (?:butt|ass|
              booty|thong|panties|underwear|naked)
            - (?:dressed in|wears?|wearing|in|clad in) (?:only |just )?(?:a |the |some |a few
              )?(?:whispers?|wisps?|scraps?|shreds?) of (?:lace|silk|fabric|cloth|satin)|peek ?a
              ?boo (?:nightie|bra|lingerie|dress|top|robe|panties)
            - intimate (?:spots?|places?|regions?|bits|curves|details)
            - (?:whipped cream|chocolate|honey|foam|edible|candy|body paint|painted on) (?:bikini|
              bra|lingerie|swimsuit)|(?:chocolate|cream|honey|oil|syrup|caramel) covered (?:\w+
              )?(?:body|breasts|torso|skin)|body shots off
            """
        ),
    ),
    Rule(
        "works of art brought to life",
        listed(
            r"""
            - (?:birth of venus|venus de milo|venus of urbino|rokeby venus|sleeping venus|olympia|
              odalisque|naked maja|nude maja|michelangelo's david|statue of david|three graces|
              creation of adam|vitruvian man)\b.{0,50}(?:(?:her|his|this|the|same|with) (?:\w+
              )?face|re ?enact\w*|recreat\w*|comes? (?:to life|alive)|brought to life|animated|
              moving|(?:her|his) (?:body|likeness))
            - like (?:a |an |the )?(?:\w+ )?nudes? (?:by|of|from) \w+
            """
        ),
    ),
    Rule(
        "words of the trade and of software",
        listed(
            r"""
            - ball ?gags?|butt ?plugs?|nipple clamps?|spank(?:s|ed|ing)? (?:her|his|him)(?! (?:new|
              horse))|chippendales? (?:dancers?|style|show|act)|magic mike (?:style|dance|finale|
              show|routine)
            - (?:mak|let)\w* (?:the |her |his |all )?(?:fabric|cloth|textiles?|wardrobe) (?:vanish|
              disappear|go away|dissolve|fade)|cloth (?:simulation|sim|layer|physics) (?:off|
              disabled|removed)|skin mesh|(?:remov|delet|hid|disabl)\w* (?:the )?layer (?:of
              )?(?:clothes|dress|clothing|outfit|garments?)|without (?:the )?(?:clothes|clothing|
              garments?|outfit) layer
            """
        ),
    ),
)
