"""Questions that look alike: templates of a question, another wording of it, and a near miss of another answer.

Written before the rules of the guard. A template belongs to the half that its text hashes to: rules were written with
the `seen` half in view, and figures are stated for the `held` half, whose results no rule was made from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

PLACES = ("Oslo", "Nairobi", "Quito", "Hanoi", "Porto")
FEATURES = ("email alerts", "guest access", "spell check", "file sharing")
DRUGS = ("paracetamol", "amoxicillin", "loratadine")
TOOLS = ("Kafka", "MongoDB", "Terraform", "Excel")
NUMBERS = (7, 15, 48, 130)


class Template(NamedTuple):
    category: str
    base: str
    paraphrase: str
    near_miss: str


class Triple(NamedTuple):
    category: str
    base: str
    paraphrase: str
    near_miss: str


TEMPLATES = tuple(
    Template(*line)
    for line in (
        # numbers
        ("number", "What is {n} times {m}?", "Multiply {n} by {m}", "What is {n} times {k}?"),
        (
            "number",
            "How many seats does a {n} person licence include?",
            "Number of seats in a {n} person licence",
            "How many seats does a {m} person licence include?",
        ),
        (
            "number",
            "Can I upload a file of {n} MB?",
            "Is a {n}MB file upload possible?",
            "Can I upload a file of {m} MB?",
        ),
        ("number", "Write a haiku in {n} words", "Compose a haiku of {n} words", "Write a haiku in {m} words"),
        (
            "number",
            "What is the square root of {n}?",
            "Compute the square root of {n}",
            "What is the square root of {m}?",
        ),
        (
            "number",
            "List the top {n} museums in {P}",
            "Give me the {n} best museums in {P}",
            "List the top {m} museums in {P}",
        ),
        ("number", "How much is {n} dollars in euros?", "Convert ${n} to euros", "How much is {m} dollars in euros?"),
        ("number", "What does error code {n} mean?", "Meaning of error code {n}", "What does error code {m} mean?"),
        # polarity
        ("polarity", "How can I mute {f}?", "What is the way to silence {f}?", "How can I unmute {f}?"),
        ("polarity", "How do I subscribe to {f}?", "Steps to sign up for {f}", "How do I unsubscribe from {f}?"),
        ("polarity", "How do I hide {f}?", "How can {f} be hidden?", "How do I show {f}?"),
        (
            "polarity",
            "How can we increase the number of {f}?",
            "How do we raise the number of {f}?",
            "How can we reduce the number of {f}?",
        ),
        (
            "polarity",
            "Should I buy shares of {T} now?",
            "Is it a good idea to buy {T} stock now?",
            "Should I sell shares of {T} now?",
        ),
        ("polarity", "How do I lock {f}?", "What do I have to do to lock {f}?", "How do I unlock {f}?"),
        (
            "polarity",
            "How do I import contacts from {T}?",
            "How can I import my contacts from {T}?",
            "How do I export contacts from {T}?",
        ),
        ("polarity", "What are the advantages of {T}?", "Benefits of {T}", "What are the disadvantages of {T}?"),
        ("polarity", "How do I switch {f} off?", "How do I deactivate {f}?", "How do I switch {f} on?"),
        # direction
        (
            "direction",
            "What is the train fare from {P} to {Q}?",
            "How much does the train from {P} to {Q} cost?",
            "What is the train fare from {Q} to {P}?",
        ),
        (
            "direction",
            "How do I migrate from {T} to {U}?",
            "Guide for moving from {T} to {U}",
            "How do I migrate from {U} to {T}?",
        ),
        (
            "direction",
            "How far is it by bus from {P} to {Q}?",
            "What is the bus distance from {P} to {Q}?",
            "How far is it by bus from {Q} to {P}?",
        ),
        (
            "direction",
            "Convert {n} kilometres to miles",
            "How many miles is {n} km?",
            "Convert {n} miles to kilometres",
        ),
        (
            "direction",
            "Did {P} beat {Q} in the final?",
            "Has {P} beaten {Q} in the final?",
            "Did {Q} beat {P} in the final?",
        ),
        (
            "direction",
            "Can {T} read files written by {U}?",
            "Is {T} able to read files written by {U}?",
            "Can {U} read files written by {T}?",
        ),
        (
            "direction",
            "Send the report from {P} to {Q}",
            "Forward the report to {Q} from {P}",
            "Send the report from {Q} to {P}",
        ),
        ("direction", "Which company did {T} buy?", "Which firm was acquired by {T}?", "Which company bought {T}?"),
        (
            "direction",
            "Should I stretch before running?",
            "Is it good to stretch before a run?",
            "Should I run before stretching?",
        ),
        # time
        (
            "time",
            "What is the weather in {P} today?",
            "How is the weather today in {P}?",
            "What is the weather in {P} tomorrow?",
        ),
        (
            "time",
            "Which shops in {P} are open on Sunday?",
            "What shops are open in {P} on Sundays?",
            "Which shops in {P} are open on Saturday?",
        ),
        (
            "time",
            "Show the revenue for March 2023",
            "What was our revenue in March 2023?",
            "Show the revenue for May 2023",
        ),
        (
            "time",
            "What happened in {P} in 1987?",
            "Which events took place in {P} in 1987?",
            "What happened in {P} in 1978?",
        ),
        ("time", "Book a table in {P} for 7 pm", "Reserve a table in {P} at 19:00", "Book a table in {P} for 7 am"),
        ("time", "Who won the cup last year?", "Last year's winner of the cup", "Who won the cup this year?"),
        (
            "time",
            "Is the museum in {P} open on June 3rd?",
            "Is the museum in {P} open on 3 June?",
            "Is the museum in {P} open on June 13th?",
        ),
        (
            "time",
            "How do I set up a weekly report in {T}?",
            "How can I create a weekly report in {T}?",
            "How do I set up a daily report in {T}?",
        ),
        (
            "time",
            "Can I cancel before the trial ends?",
            "Is cancelling possible before the trial ends?",
            "Can I cancel after the trial ends?",
        ),
        # entity
        ("entity", "Who is the mayor of {P}?", "Name the mayor of {P}", "Who is the mayor of {Q}?"),
        ("entity", "What is the currency of {P}?", "Which currency is used in {P}?", "What is the currency of {Q}?"),
        (
            "entity",
            "How do I install {T} on Ubuntu?",
            "Ubuntu installation steps for {T}",
            "How do I install {U} on Ubuntu?",
        ),
        (
            "entity",
            "When was the university of {P} founded?",
            "In what year was the university of {P} founded?",
            "When was the university of {Q} founded?",
        ),
        (
            "entity",
            "What are good restaurants in {P}?",
            "Recommend restaurants in {P}",
            "What are good restaurants in {Q}?",
        ),
        (
            "entity",
            "How do I clean a leather sofa?",
            "What is the best way to clean a leather sofa?",
            "How do I clean a velvet sofa?",
        ),
        ("entity", "Where can I park in {P}?", "Where is parking possible in {P}?", "Where can I park in {Q}?"),
        (
            "entity",
            "How long does it take to cook rice?",
            "What is the cooking time of rice?",
            "How long does it take to cook pasta?",
        ),
        # entity_similar
        (
            "entity_similar",
            "Which toner fits the printer LX{n}a?",
            "What toner do I need for the printer LX{n}a?",
            "Which toner fits the printer LX{n}b?",
        ),
        (
            "entity_similar",
            "What is the capital of Niger?",
            "Which city is the capital of Niger?",
            "What is the capital of Nigeria?",
        ),
        ("entity_similar", "How do I learn Java?", "What is the best way to learn Java?", "How do I learn JavaScript?"),
        ("entity_similar", "What is the area of Austria?", "How large is Austria?", "What is the area of Australia?"),
        (
            "entity_similar",
            "Who wrote the C standard?",
            "Who is the author of the C standard?",
            "Who wrote the C++ standard?",
        ),
        (
            "entity_similar",
            "How big is the screen of the Pixel 8?",
            "What is the screen size of the Pixel 8?",
            "How big is the screen of the Pixel 8 Pro?",
        ),
        # dose
        (
            "dose",
            "How many mg of {d} may an adult take?",
            "What is the dose of {d} for an adult in mg?",
            "How many mg of {d} may a child take?",
        ),
        (
            "dose",
            "Can I take {n} mg of {d} twice a day?",
            "Is it ok to take {n} mg {d} twice daily?",
            "Can I take {n} mg of {d} four times a day?",
        ),
        ("dose", "Is {n} mg of {d} too much?", "Is {n} milligrams of {d} too much?", "Is {n} g of {d} too much?"),
        (
            "dose",
            "How often can I give {d} to a {n} month old baby?",
            "How often may a {n}-month-old baby get {d}?",
            "How often can I give {d} to a {n} year old child?",
        ),
        (
            "dose",
            "How much {d} should a dog of {n} kg get?",
            "What is the {d} dosage for a {n} kg dog?",
            "How much {d} should a cat of {n} kg get?",
        ),
        # quantifier
        ("quantifier", "Do all plans support {f}?", "Is {f} supported by every plan?", "Do any plans support {f}?"),
        (
            "quantifier",
            "Can every user delete {f}?",
            "Are all users able to delete {f}?",
            "Can only admins delete {f}?",
        ),
        (
            "quantifier",
            "Which countries have no income tax?",
            "List countries without income tax",
            "Which countries have an income tax?",
        ),
        ("quantifier", "Are most birds able to fly?", "Can most birds fly?", "Are all birds able to fly?"),
        (
            "quantifier",
            "Do I need at least {n} points to pass?",
            "Is a minimum of {n} points needed to pass?",
            "Do I need at most {n} points to pass?",
        ),
        ("quantifier", "Do both editions contain {f}?", "Is {f} in both editions?", "Does either edition contain {f}?"),
        # negation
        ("negation", "Is {f} available on mobile?", "Can I use {f} on mobile?", "Is {f} not available on mobile?"),
        ("negation", "Which foods contain gluten?", "Foods with gluten", "Which foods do not contain gluten?"),
        ("negation", "Does {T} work offline?", "Can {T} be used offline?", "Does {T} never work offline?"),
        (
            "negation",
            "Can I log in with a password?",
            "Is it possible to log in with a password?",
            "Can I log in without a password?",
        ),
        ("negation", "Why does {T} start?", "What makes {T} start?", "Why doesn't {T} start?"),
        ("negation", "Do I have to renew {f}?", "Must I renew {f}?", "Don't I have to renew {f}?"),
        (
            "negation",
            "Can I deploy {T} with Docker?",
            "Is it possible to deploy {T} using Docker?",
            "Can I deploy {T} except with Docker?",
        ),
        # superlative
        (
            "superlative",
            "What is the largest city in Peru?",
            "Name the biggest city in Peru",
            "What is the smallest city in Peru?",
        ),
        (
            "superlative",
            "Which laptop has the longest battery life?",
            "Laptop with the longest battery life",
            "Which laptop has the shortest battery life?",
        ),
        (
            "superlative",
            "What is the fastest way to {P}?",
            "Quickest way to get to {P}",
            "What is the slowest way to {P}?",
        ),
        (
            "superlative",
            "What was the most popular song in {P}?",
            "Which song was the most popular in {P}?",
            "What was the least popular song in {P}?",
        ),
        (
            "superlative",
            "Who is the oldest player of the team?",
            "Name the oldest player on the team",
            "Who is the youngest player of the team?",
        ),
        (
            "superlative",
            "What is the maximum size of an upload?",
            "What is the upload size limit?",
            "What is the minimum size of an upload?",
        ),
        # comparison
        ("comparison", "Is {T} faster than {U}?", "Is {T} quicker than {U}?", "Is {U} faster than {T}?"),
        (
            "comparison",
            "Why do people prefer {T} to {U}?",
            "Why do people prefer {T} over {U}?",
            "Why do people prefer {U} to {T}?",
        ),
        (
            "comparison",
            "Does tea have more caffeine than coffee?",
            "Is there more caffeine in tea than in coffee?",
            "Does tea have less caffeine than coffee?",
        ),
        ("comparison", "Is {P} larger than {Q}?", "Is {P} bigger than {Q}?", "Is {P} smaller than {Q}?"),
        (
            "comparison",
            "How much heavier is gold than silver?",
            "By how much is gold heavier than silver?",
            "How much heavier is silver than gold?",
        ),
        (
            "comparison",
            "Is it better to rent than to buy in {P}?",
            "Is renting better than buying in {P}?",
            "Is it better to buy than to rent in {P}?",
        ),
        # version
        (
            "version",
            "How do I upgrade to {T} {v}?",
            "What are the steps to upgrade to {T} {v}?",
            "How do I upgrade to {T} {w}?",
        ),
        (
            "version",
            "Is {T} {v} still supported?",
            "Is there still support for {T} {v}?",
            "Is {T} {w} still supported?",
        ),
        (
            "version",
            "Where can I download {T} v{v}?",
            "Download link for {T} version {v}",
            "Where can I download {T} v{w}?",
        ),
        ("version", "What is new in {T} {v}?", "What are the new features of {T} {v}?", "What is new in {T} {w}?"),
        ("version", "When was {T} {v} released?", "What is the release date of {T} {v}?", "When was {T} {w} released?"),
        # target
        (
            "target",
            "Translate 'good morning' to German",
            "What is 'good morning' in German?",
            "Translate 'good morning' to Dutch",
        ),
        (
            "target",
            "Write a sorting function in {L}",
            "Give me a sorting function in {L}",
            "Write a sorting function in {M}",
        ),
        (
            "target",
            "Rewrite this for a child: {f} is on",
            "Rewrite for a child: {f} is on",
            "Rewrite this for a lawyer: {f} is on",
        ),
        (
            "target",
            "Write an email to my boss about {f}",
            "Compose an email to my boss about {f}",
            "Write an email to my landlord about {f}",
        ),
        (
            "target",
            "Convert this table about {f} to JSON",
            "Turn this table about {f} into JSON",
            "Convert this table about {f} to YAML",
        ),
        ("target", "Explain {T} to a beginner", "Explain {T} for a beginner", "Explain {T} to an expert"),
    )
)


def half(template: Template) -> str:
    """``seen`` or ``held``, by the text of the template alone."""
    return "held" if crc32(template.base.encode()) % 2 else "seen"


def fillings() -> Iterator[dict[str, object]]:
    """Values for the slots; those of one filling differ from each other where a near miss needs them to."""
    for number in range(3):
        yield {
            "n": NUMBERS[number],
            "m": NUMBERS[number + 1],
            "k": NUMBERS[(number + 2) % 4],
            "P": PLACES[number],
            "Q": PLACES[number + 1],
            "T": TOOLS[number],
            "U": TOOLS[number + 1],
            "f": FEATURES[number],
            "d": DRUGS[number],
            "v": ("2.1", "11", "3.10")[number],
            "w": ("2.10", "12", "3.1")[number],
            "L": ("Go", "Rust", "Kotlin")[number],
            "M": ("Rust", "Kotlin", "Scala")[number],
        }


def triples(which: str) -> list[Triple]:
    """All triples of one half, without repeats."""
    found = itertools.product((each for each in TEMPLATES if half(each) == which), list(fillings()))
    made = (Triple(each.category, *(text.format(**values) for text in each[1:])) for each, values in found)
    return list(dict.fromkeys(made))
