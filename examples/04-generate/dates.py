# ===- dates.py - dates as people write them ---------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# What the example's model learns: dates from 1900 to 2099 in seven languages
# and in numbers. A form is a way of writing (language, words before, pattern,
# names of months in full or short, letters); a line is a date in a form. What
# may be read in two ways follows a rule:
#
#   3/4/21              slashes alone: month first, as in the United States
#   25/12/21            unless that cannot be
#   le 3/4/21           or a word of another language stands before
#   3.4.21, 3-4-21      dots and hyphens: day first
#   2021-04-03          four digits first are the year; then month, day
#   two digits of a year: 1950 to 2049
#
# One date in ten is held out of training, whatever its form, and one form in
# ten, whatever its date. Every choice comes from random.random(), which is the
# same for a seed in every version of Python.
#
# ===----------------------------------------------------------------------===//
import datetime
import hashlib
from typing import NamedTuple

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)


def split(names):
    return {language: words.split() for language, words in names.items()}


MONTHS = split({
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
})
SHORT_MONTHS = split({
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv févr mars avr mai juin juil août sept oct nov déc",
    "es": "ene feb mar abr may jun jul ago sep oct nov dic",
    "it": "gen feb mar apr mag giu lug ago set ott nov dic",
    "pt": "jan fev mar abr mai jun jul ago set out nov dez",
    "nl": "jan feb mrt apr mei jun jul aug sep okt nov dec",
})
WEEKDAYS = split({
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
})
ARTICLES = {"en": "on", "de": "am", "fr": "le", "es": "el", "it": "il", "pt": "em", "nl": "op"}
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
ORDINALS += ["twenty-" + word for word in ORDINALS[:9]] + ["thirtieth", "thirty-first"]

# Fields: d, dd a day, th "3rd", word "third", m, mm a month, name its name,
# y a year, yy two digits of it and ap "'21" (four outside 1950 to 2049).
NUMBERS = (
    "{m}/{d}/{y}", "{mm}/{dd}/{y}", "{m}/{d}/{yy}", "{mm}/{dd}/{yy}",
    "{m}/{d}/{y}", "{mm}/{dd}/{y}", "{m}/{d}/{yy}", "{mm}/{dd}/{yy}",
    "{d}/{m}/{y}", "{dd}/{mm}/{y}", "{d}/{m}/{yy}", "{dd}/{mm}/{yy}",
    "{d}.{m}.{y}", "{dd}.{mm}.{y}", "{d}.{m}.{yy}", "{dd}.{mm}.{yy}",
    "{d}-{m}-{y}", "{dd}-{mm}-{y}", "{d}-{m}-{yy}", "{dd}-{mm}-{yy}",
    "{y}-{mm}-{dd}", "{y}/{m}/{d}", "{y}/{mm}/{dd}", "{y}{mm}{dd}", "{y}年{m}月{d}日",
)
DAY_FIRST = ("{d}/{m}/{y}", "{dd}/{mm}/{y}", "{d}/{m}/{yy}", "{dd}/{mm}/{yy}")
NAMES = {
    "en": (
        "{name} {d}, {y}", "{name} {d} {y}", "{name} {th}, {y}", "{name} {d}, {ap}",
        "{d} {name} {y}", "{th} {name} {y}", "{d} {name} {ap}", "{dd}-{name}-{y}",
        "the {th} of {name}, {y}", "the {word} of {name}, {y}", "{word} of {name} {y}",
        "{name} the {word}, {y}", "{y} {name} {d}",
    ),
    "de": ("{d}. {name} {y}", "{d}. {name} {yy}", "{dd}. {name} {y}", "den {d}. {name} {y}"),
    "fr": ("{d} {name} {y}", "{er} {name} {y}", "{d} {name} {yy}"),
    "es": ("{d} de {name} de {y}", "{d} de {name} del {y}", "{d} {name} {y}"),
    "it": ("{d} {name} {y}", "{º} {name} {y}", "{d} {name} {ap}"),
    "pt": ("{d} de {name} de {y}", "{º} de {name} de {y}", "{d} {name} {y}"),
    "nl": ("{d} {name} {y}", "{d} {name} {ap}", "{dd} {name} {y}"),
}


class Form(NamedTuple):
    """A way of writing; `language` is empty for numbers alone."""

    language: str = ""
    before: str = ""  # "{weekday}, ", "{weekday} ", "{short}, ", "{article} "
    pattern: str = ""
    month: str = ""  # "", "short", "short."
    letters: str = ""  # "", "lower", "upper"


def is_held_out_date(date):
    return hashlib.sha256(date.isoformat().encode()).digest()[0] % 10 == 0


def is_held_out_form(form):
    """Of forms with words: each part of them is in training, in other forms."""
    key = "|".join(form).encode()
    return bool(form.language) and hashlib.sha256(key).digest()[0] % 10 == 0


def choose(source, options):
    return options[int(source.random() * len(options))]


def pick_form(source, held_out):
    """A form of one side."""
    while True:
        form = Form(pattern=choose(source, NUMBERS))
        if source.random() < 0.7:
            language = choose(source, ("en", "en", *MONTHS))
            before = choose(source, ("", "", "", "{weekday}, ", "{weekday} ", "{article} "))
            if language == "en" and before == "{weekday}, ":
                before = choose(source, (before, "{short}, "))
            slashes = "{m}/{d}/{yy}", "{mm}/{dd}/{y}"
            if language != "en":
                slashes = DAY_FIRST
            # A third of what words stand before is in numbers.
            if before and source.random() < 0.33:
                form = Form(language, before, choose(source, slashes), "")
            else:
                form = Form(language, before, choose(source, NAMES[language]),
                            choose(source, ("", "", "", "short", "short.")))
            form = form._replace(letters=choose(source, ("", "", "", "lower", "upper")))
        if is_held_out_form(form) == held_out:
            return form


def pick_date(source, held_out):
    """A date of one side."""
    while True:
        days = int(source.random() * ((LAST - FIRST).days + 1))
        date = FIRST + datetime.timedelta(days=days)
        if is_held_out_date(date) == held_out:
            return date


def write(date, form):
    """`date` in `form`."""
    day, month = date.day, date.month
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    year, is_near = str(date.year), 1950 <= date.year <= 2049
    fields = {
        "d": day, "dd": f"{day:02d}", "th": f"{day}{ending}", "word": ORDINALS[day - 1],
        "er": "1er" if day == 1 else day, "º": "1º" if day == 1 else day,
        "m": month, "mm": f"{month:02d}", "y": year,
        "yy": year[2:] if is_near else year, "ap": f"'{year[2:]}" if is_near else year,
    }
    pattern = form.pattern
    if form.language:
        weekday = WEEKDAYS[form.language][date.weekday()]
        fields["weekday"], fields["short"] = weekday, weekday[:3]
        fields["article"] = ARTICLES[form.language]
        names = SHORT_MONTHS if form.month else MONTHS
        name = names[form.language][month - 1]
        is_cut = form.month == "short." and name != MONTHS[form.language][month - 1]
        fields["name"] = name + ("." if is_cut else "")
    elif pattern in DAY_FIRST and day <= 12:
        pattern = NUMBERS[DAY_FIRST.index(pattern)]
    text = (form.before + pattern).format(**fields)
    return {"": text, "lower": text.lower(), "upper": text.upper()}[form.letters]


def make_line(source, held_out_date=False, held_out_form=False):
    """A date as it is written, and in ISO 8601."""
    date = pick_date(source, held_out_date)
    return write(date, pick_form(source, held_out_form)), date.isoformat()


def make_held_out(source, count):
    """Lines with held-out dates, every second of them in a held-out form."""
    return [make_line(source, True, index % 2 == 1) for index in range(count)]
