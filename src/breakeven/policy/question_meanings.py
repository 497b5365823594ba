"""Wordings that mean the same, as tables: data for `question_phrases`.

Each line is one meaning: its name, then its other wordings, in base forms and without articles. `RELATIONS` join or
describe what a question is about (verbs, and nouns such as "price"); `TERMS` stay where they stand. Opposites are
different lines. A word of several meanings is left out: being on no line, it has to be in both questions.
"""

from __future__ import annotations

from typing import Final

RELATIONS: Final = """
accept
add
advantage: benefit, upside
age
allow: permit
approve
author: writer
beat: defeat
book: reserve
borrow
buy: purchase, acquire
calculate: compute, work out, calculation
cancel: call off, terminate, cancellation
change: modify, edit, alter, modification
clean
close: shut
compare: comparison
compress
configure: configuration
connect: connection
contact: reach out to, get in touch with
convert: conversion
cook
copy
create: set up, make, build, generate, compose, draft, creation, setup
decline
decrease: reduce, reduction
decrypt
delete: remove, erase, get rid of, deletion, removal
deploy: deployment
deposit
difference
disable: turn off, switch off, deactivate, deactivation
disadvantage: drawback, downside
disconnect
discover: discovery
distance
dose: dosage, safe dose, safe dosage, recommended dose, correct dose, right dose
download
downgrade
duration: length of time
enable: turn on, switch on, activate, activation
encrypt
establish: founded
exchange
exclude
explain: describe
export
find: locate, look for, search for
fire
fix: repair, resolve, troubleshoot, debug, solve
forbid: prohibit, ban
forward
get: obtain
give
happen: occur, take place
have: contain, include, come with
height
hide
hire
import
improve: enhance, improvement
increase: raise, boost
install: installation
invent: invention
invite
join
learn
lend
live: reside
lock
log_in: log in, login, sign in, log on, log into, sign into
log_out: log out, logout, sign out, log off
lose
meaning: definition
migrate: move, switch, migration
multiply
mute: silence
new_in: new feature, release highlight, release note, changelog
new_in of: new feature in, release note for, changelog for
open
organise
own
pause: suspend
pay: payment
population
prepare
prevent
price: cost, fare
price of: price for, cost for, fee for, fare for
print
produce: manufacture
protect: protection
publish
quit
receive
recommend: suggest, recommendation for
refund: reimburse, get refund for, reimbursement
reject
release: come out
rename
renew: renewal
rent
replace
require: need
reset
restart: reboot
restore
resume
return: send back
reverse
rewrite
scan
sell
send
separate
share
show
sign_up for: sign up for, register for, registration for
sign_up: sign up, register, registration
size
sort
speak
speed
start: begin
steal
stop
store
subscribe to: subscribe for
summary of: summarise, sum up
support
test
track
translate: translation
unblock
unhide
uninstall
unlock
unmute
unsubscribe from
update
upgrade
upload
use: utilise
view: see
weight
win
withdraw
work: operate
worsen
write
"""

TERMS: Final = """
all: every, everything
all team: all team member, everyone on team, everybody on team, everyone in team, everybody in team, whole team,
    entire team, all member of team
all user: everyone, everybody
no: none
no user: no one, nobody
at_least: at least, no less than, no fewer than, minimum of
at_most: at most, no more than, not more than, maximum of, up to
more_than: more than, greater than, above
less_than: less than, fewer than, below
cheapest: lowest price, lowest cost, least expensive, most affordable
dearest: most expensive, highest price, priciest, most costly
largest: biggest
larger: bigger
fastest: quickest
faster: quicker
fast: quick
easiest: simplest
easier: simpler
hardest: most difficult
harder: more difficult
maximum: max, highest possible
minimum: min, lowest possible
capital: capital city, city be capital
photo: picture, photograph
phone: telephone
mobile: mobile phone, cell phone, cellphone, smartphone
email: e mail
company: firm
movie: film
car: automobile
bike: bicycle
tv: television
fridge: refrigerator
sofa: couch
doctor: physician
job: occupation
country: nation
child: kid
adult: grown up
mother: mum, mom
father: dad
uk: united kingdom
usa: united state, united states, united state of america, united states of america
licence: license
programme: program
centre: center
database: db
repository: repo
documentation: doc
2fa: two factor authentication, 2 factor authentication, 2 step verification, 2 factor auth
sso: single sign on
ai: artificial intelligence
error: error message
holiday: vacation
petrol: gasoline
per day: daily
per week: weekly
per month: monthly
per year: yearly, annually
next: upcoming, coming
via: by mean of
near: close to, next to, nearby, in vicinity of, in proximity to
about: concerning, regarding, on topic of
without: with no
instead_of than: instead of, rather than, in place of
prefer than: better than, preferable to
offline: without internet, without internet connection
ok: okay, all right
"""

SAYS_NOTHING: Final = """
hi, hello, hey, thank you, thanks, please, can you tell me, could you tell me, can you show me
can you help me, could you help me, can you give me, could you give me, do you know, i want to know
i would like to know, i wonder, tell me, give me, show me, help me, i need help with, let me know
can you tell me if, could you tell me if, do you know if, i want to know if, i wonder if, whether, i need, so
i be look for, i be try to, i want to, i would like to, i need to, can you, could you, would you, can you please
"""
"""Beginnings that ask for no more than what follows."""

ASKS_FOR_A_THING: Final = """
what be, which be, find, calculate, compute, work out, look for, tell me, give me
"""
"""Beginnings that ask for the thing that follows."""

QUESTION_FORMS: Final = """
how: how, step to, step for, step require to, way to, best way to, good way to, way of, best way of, instruction for,
    instruction to, guide to, guide for, tutorial for, tutorial on, procedure for, procedure to, process for,
    process of, process to, what do i have to do to, what do i need to do to, what should i do to,
    what must i do to, what can i do to, what step do i take to, walk me through, teach me to, show me how to,
    teach me how to, what do it take to
when: when, what time, at what time, what date, what year, in what year, in which year, which year, on what date,
    in which case, in what case, in which situation, in what situation, under which circumstance,
    under what circumstance, on which day, on what day
where: where, in which place, at which place, in what place
why: why, for what reason, what be reason for, what be reason that, reason for, how come
who: who, whom, which person
how_many: how many, number of, what be number of
how_much: how much
how_long: how long, how much time
how_often: how often, how frequently
"""

FRAMES: Final = (
    ("turn {0} on", "turn on {0}"),
    ("turn {0} off", "turn off {0}"),
    ("switch {0} on", "switch on {0}"),
    ("switch {0} off", "switch off {0}"),
    ("^how do {0} say {1} in {2}", "translate {1} to {2}"),
    ("^how can {0} say {1} in {2}", "translate {1} to {2}"),
    ('^what be "{0} in {1}', 'translate "{0} to {1}'),
    ('translate "{0} in {1}', 'translate "{0} to {1}'),
    ("^how many people live in {0}", "population of {0}"),
    ("^how many inhabitants do {0} have", "population of {0}"),
    ("^how many {0} be {#}", "convert {#} to {0}"),
    ("^how much be {#} in {0}", "convert {#} to {0}"),
    ("^what be {#} in {0}", "convert {#} to {0}"),
    ("convert {#} in {0}", "convert {#} to {0}"),
    ("turn {0} into {1}", "convert {0} to {1}"),
    ("^how much do {0} cost", "price of {0}"),
    ("^what do {0} cost", "price of {0}"),
    ("^how much be {0}", "price of {0}"),
    ("^how expensive be {0}", "price of {0}"),
    ("^how big be {0}", "size of {0}"),
    ("^how large be {0}", "size of {0}"),
    ("^how tall be {0}", "height of {0}"),
    ("^how high be {0}", "height of {0}"),
    ("^how old be {0}", "age of {0}"),
    ("^how heavy be {0}", "weight of {0}"),
    ("^how fast be {0}", "speed of {0}"),
    ("^how far be it {0}", "distance {0}"),
    ("^how far be {0} from {1}", "distance from {1} to {0}"),
    ("^how far away be {0} from {1}", "distance from {1} to {0}"),
    ("distance between {0} and {1}", "distance from {0} to {1}"),
    ("^how be weather {0}", "weather {0}"),
    ("^how much {0} can i give {1}", "dose of {0} for {1}"),
    ("^how much {0} may i give {1}", "dose of {0} for {1}"),
    ("^how much {0} should i give {1}", "dose of {0} for {1}"),
    ("^how much {0} can {1} take", "dose of {0} for {1}"),
    ("^how much {0} may {1} take", "dose of {0} for {1}"),
    ("^how much {0} should {1} take", "dose of {0} for {1}"),
    ("^how much {0} should {1} get", "dose of {0} for {1}"),
    ("^how much {0} be safe for {1}", "dose of {0} for {1}"),
    ("^what do {0} mean", "meaning of {0}"),
    ("^what do {0} stand for", "meaning of {0}"),
    ("^who be author of {0}", "who write {0}"),
    ("^who be inventor of {0}", "who invent {0}"),
    ("^who be founder of {0}", "who founded {0}"),
    ("^who be {0} of {1}", "{0} of {1}"),
    ("^name {0} of {1}", "{0} of {1}"),
    ("^what be release date of {0}", "when be {0} release"),
    ("release date of {0}", "when be {0} release"),
    ("^what change in {0}", "new_in of {0}"),
    ("^what do change in {0}", "new_in of {0}"),
    ("^what be new in {0}", "new_in of {0}"),
    ("^which {0} have {1}", "{0} with {1}"),
    ("^which {0} contain {1}", "{0} with {1}"),
    ("be {0} include in {1}", "do {1} have {0}"),
    ("be {0} part of {1}", "do {1} have {0}"),
    ("plane leave {0} for {1}", "flight from {0} to {1}"),
    ("plane leave from {0} to {1}", "flight from {0} to {1}"),
    ("plane from {0} to {1}", "flight from {0} to {1}"),
    ("leave {0} for {1}", "from {0} to {1}"),
    ("leave from {0} to {1}", "from {0} to {1}"),
    ("go from {0} to {1}", "from {0} to {1}"),
    ("get from {0} to {1}", "from {0} to {1}"),
    ("fly from {0} to {1}", "flight from {0} to {1}"),
    ("prefer {0} to {1}", "prefer {0} than {1}"),
    ("prefer {0} over {1}", "prefer {0} than {1}"),
    ("should {2} use {0} instead of {1}", "{0} better than {1}"),
    ("should {2} use {0} rather than {1}", "{0} better than {1}"),
    ("should {2} use {0} over {1}", "{0} better than {1}"),
    ("should {2} choose {0} over {1}", "{0} better than {1}"),
    ("should {2} prefer {0} than {1}", "{0} better than {1}"),
    ("^be it possible to {0}", "can i {0}"),
    ("^be it possible for {0} to {1}", "can {0} {1}"),
    ("^be i able to {0}", "can i {0}"),
    ("^be {0} able to {1}", "can {0} {1}"),
    ("^be i allowed to {0}", "may i {0}"),
    ("^be {0} allowed to {1}", "may {0} {1}"),
    ("^be {0} possible", "can i {0}"),
    ("^be {0} possible {1}", "can i {0} {1}"),
    ("^be it okay to {0}", "can i {0}"),
    ("^be it ok to {0}", "can i {0}"),
    ("^be it good to {0}", "should i {0}"),
    ("^be it good idea to {0}", "should i {0}"),
    ("^be it advisable to {0}", "should i {0}"),
    ("^be it necessary to {0}", "must i {0}"),
    ("^do i have to {0}", "must i {0}"),
    ("^do i need to {0}", "must i {0}"),
    ("^do {0} have to {1}", "must {0} {1}"),
    ("^do {0} need to {1}", "must {0} {1}"),
)
"""Frames with gaps, each of at least one word, ``{#}`` of one quantity; tried in this order, each once. A frame that
begins with ^ begins the question."""
