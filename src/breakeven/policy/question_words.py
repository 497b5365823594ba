"""Words that the guard knows: what may be passed over, what binds two things, and what means the same.

English. The world is closed: a word that is on no list is taken to matter, and has to be in both questions. So a gap
in these lists costs a hit, never a wrong answer. Lists are written in base forms.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _in_order(text: str) -> list[str]:
    return text.split()


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def _to_first(text: str) -> dict[str, str]:
    """Each word of a line to the line's first."""
    return {word: line[0] for line in _lines(text) for word in line}


DETERMINERS: Final = _words("a an the my our its")
"""Passed over inside a noun phrase."""

LIGHT: Final = _words("be do will would i we you one there please really actually kindly and that")
"""Passed over, and the end of a noun phrase."""

PAST: Final = _words("was were did had")
FUTURE: Final = _words("will shall")
OPENINGS: Final = _words("be do have can could will would shall should may might must")
"""The base forms of words with which a question begins that wants yes or no."""

BEFORE_SUBJECT: Final = OPENINGS
"""Words after which "you" and "I" are whoever asks."""

ANYBODY: Final = _words("i we you one")
THINGS: Final = _words("what which")

MODALS: Final = {
    "can": "can",
    "could": "can",
    "may": "can",
    "might": "can",
    "able": "can",
    "must": "must",
    "should": "should",
    "shall": "should",
    "ought": "should",
    "would": "would",
}

LABELS: Final = {
    "of": "of",
    "in": "in",
    "inside": "in",
    "within": "within",
    "at": "at",
    "on": "on",
    "for": "for",
    "with": "with",
    "about": "about",
    "near": "near",
    "to": "to",
    "into": "to",
    "onto": "to",
    "from": "from",
    "than": "than",
    "by": "by",
    "via": "via",
    "before": "before",
    "after": "after",
    "since": "since",
    "until": "until",
    "till": "until",
    "during": "during",
    "between": "between",
    "against": "against",
    "versus": "against",
    "vs": "against",
    "without": "without",
    "as": "as",
    "per": "per",
    "under": "under",
    "over": "over",
    "through": "through",
    "behind": "behind",
    "among": "among",
    "if": "if",
    "because": "because",
    "while": "while",
    "unless": "unless",
}
"""Words that bind the noun phrase after them. Two of one value bind alike; the order of bound phrases is free."""

NEUTRAL: Final = _words("of in at on for during")
"""Labels that say nothing more where only a time or a number follows."""

ADVERBS_OF_TIME: Final = _words("today tonight tomorrow yesterday now morning afternoon evening night noon midnight")

PERIODS: Final = _words("s min h day week weekend month quarter year decade century")
EACH: Final = _words("a an per each every")
"""Words that make a rate of a period: five a day, five per day."""

MONTHS: Final = {
    name: number
    for number, line in enumerate(
        _lines(
            """
            january jan
            february feb
            march mar
            april apr
            may
            june jun
            july jul
            august aug
            september sep sept
            october oct
            november nov
            december dec
            """
        ),
        start=1,
    )
    for name in line
}

WEEKDAYS: Final = _to_first(
    """
    monday mon
    tuesday tue tues
    wednesday wed
    thursday thu thur thurs
    friday fri
    saturday sat
    sunday sun
    """
)

ALSO_WORDS: Final = _words("may march mar jan dec sun sat mon wed")
"""Names of months and days that are other words too: they count as such beside a number, or written large."""

CASED: Final = _words(
    "apple turkey china polish windows word orange target shell gap amazon mars mercury jersey chad jordan georgia"
    " access excel oracle swift go rust spring flask slack teams zoom bill mark grace hope joy rose will"
)
"""Names that are common words as well: written large they are another word."""

QUANTITY_UNITS: Final = _to_first(
    """
    percent %
    kg kgs kilogram kilo kilogramme
    g gram gramme
    mg milligram milligramme
    mcg µg ug microgram
    lb lbs
    oz ounce
    ml millilitre milliliter
    l litre liter
    km kilometre kilometer kms
    metre meter
    cm centimetre centimeter
    mm millimetre millimeter
    mile mi
    inch
    ft foot feet
    kb kilobyte
    mb megabyte
    gb gigabyte
    tb terabyte
    mbit megabit
    gbit gigabit
    s sec second secs
    ms millisecond
    min minute mins
    h hr hour hrs
    day
    week
    month
    year yr yrs
    usd dollar us$ $
    eur euro €
    gbp £
    jpy yen ¥
    inr rupee ₹
    token
    w watt
    kwh
    hz
    khz
    mhz
    ghz
    °c celsius
    °f fahrenheit
    """
)

BITS: Final = {"Mb": "mbit", "Gb": "gbit"}
"""Where large and small letters are two units."""

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
DIGIT_WORDS: Final = {word: value for value, word in enumerate(_in_order(_SMALL))} | {
    word: 10 * tens for tens, word in enumerate(_in_order(_TENS), start=2)
}

MAGNITUDES: Final = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

_ORDINALS: Final = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
ORDINALS: Final = {word: value for value, word in enumerate(_in_order(_ORDINALS), start=1)}

CONTRACTIONS: Final = {
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "n't": " not",
    "i'm": "i am",
    "'re": " are",
    "'ve": " have",
    "'ll": " will",
    "'d": " would",
    "let's": "let us",
}

IS_AFTER: Final = _words("what that it who where how there here when why he she which")
"""Words after which ``'s`` is "is"; after others it is a possessive."""

IRREGULAR: Final = _to_first(
    """
    be am is are was were been being
    do does did done doing
    have has had having
    go goes went gone
    get gets got gotten getting
    buy bought
    sell sold
    send sent
    pay paid
    win won
    make made
    take took taken
    give gave given
    write wrote written
    beat beaten
    build built
    find found
    become became
    begin began begun
    come came
    see saw seen
    say said
    tell told
    speak spoke spoken
    choose chose chosen
    break broke broken
    drive drove driven
    fly flew flown
    eat ate eaten
    grow grew grown
    know knew known
    show showed shown
    hide hid hidden
    lose lost
    mean meant
    keep kept
    run ran
    think thought
    teach taught
    catch caught
    bring brought
    spend spent
    learn learnt
    forget forgot forgotten
    steal stole stolen
    wear wore worn
    child children
    person people persons
    man men
    woman women
    foot feet
    mouse mice
    tooth teeth
    city cities
    country countries
    company companies
    bus buses
    gas gases
    lens lenses
    """
)

KNOWN_VERBS: Final = _words(
    """
    acquire activate add adjust admit allow alter answer apply approve arrive ask attach attack avoid back beat
    become begin block book boost borrow break bring build buy calculate call cancel change charge check choose
    clean clear click close collect combine come compare complete compose compute configure confirm connect contact
    contain continue contribute convert cook copy cost count create cut deactivate debug decrease defeat define
    delete deliver deny deploy describe design develop disable disconnect discover display divide divorce download
    draft drink drive drop earn eat edit email enable end enter erase establish estimate exclude exit expand expire
    explain export fail feed find finish fire fit fix fly follow forget format forward found freeze function
    generate get give go grow handle happen help hide hire hold improve include increase insert install invent
    invite join keep kill know last launch lead learn leave lend let like limit link list live load locate lock log
    look lose lower make manage marry mean measure merge migrate modify move multiply mute name need obtain occur
    offer open operate order organise owe own park pass paste pause pay pick place plan play prefer prepare prevent
    price print produce protect provide publish purchase raise reach read receive recommend record recover reduce
    refund register reject release remove rename renew rent repair repeat replace reply report require reserve reset
    resize resolve restart restore resume return reverse review rewrite rise rotate run save say scan schedule
    search see select sell send separate serve set share ship shoot show shut sign silence sleep solve sort speak
    speed spend split start stay stop store stream stretch study submit subscribe subtract sue summarise supply
    support suspend switch sync take talk teach tell test train transfer translate travel troubleshoot try turn
    uninstall unlock unmute unsubscribe update upgrade upload use utilise verify view visit vote wait walk want warn
    wash watch wear weigh win withdraw work write
    """
)
"""Verbs whose ``-s``, ``-ed`` and ``-ing`` forms are one word with them."""

KEEP_AS_WRITTEN: Final = _words(
    "founded less series species news always gas bus pass customs goods arms glasses rights savings jeans means works"
    " proceeds contents headquarters manners spirits terms looks shorts minutes perhaps plus minus lens thus yes"
    " meaning towards physics mathematics economics politics analysis basis status others whereas besides sometimes"
)
"""Words whose ending says something, or is none."""

ALSO_ACRONYMS: Final = _words("us it who or not no all any me he this off")
"""Small words that are names where they are written in capitals, as articles and prepositions are."""

FEW: Final = _words("few little lot")
"""A few is not few."""

CONTAINERS: Final = _words("cup glass bottle box bag can pot bucket pack packet carton jar bowl plate tin barrel")
"""A cup of coffee is no coffee cup, while the price of coffee is the coffee price."""
