"""`--ciphers`: the language in which OpenSSL's users choose suites of TLS 1.2 (openssl-ciphers(1)).

A list is a row of rules: a name or a class adds suites that are not there yet, `-` takes them out, `!` for
good, `+` moves them to the end, `@STRENGTH` sorts; `A+B` is what is in both classes. Words that are not known
are passed over; a list that leaves nothing, or that is no list, is refused.
"""

from __future__ import annotations

from typing import NamedTuple

SEPARATORS = ": ;,"
WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.=")
DEFAULT = "ALL:!COMPLEMENTOFDEFAULT:!eNULL"
SUITE_B = {
    "SUITEB128ONLY": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "SUITEB128C2": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
    "SUITEB128": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
    "SUITEB192": "ECDHE-ECDSA-AES256-GCM-SHA384",
}

# What OpenSSL 3.0 has, in its order: the number of the registry, and OpenSSL's name.
_SUITES = """
    C02C ECDHE-ECDSA-AES256-GCM-SHA384; C030 ECDHE-RSA-AES256-GCM-SHA384; 00A3 DHE-DSS-AES256-GCM-SHA384
    009F DHE-RSA-AES256-GCM-SHA384; CCA9 ECDHE-ECDSA-CHACHA20-POLY1305; CCA8 ECDHE-RSA-CHACHA20-POLY1305
    CCAA DHE-RSA-CHACHA20-POLY1305; C0AF ECDHE-ECDSA-AES256-CCM8; C0AD ECDHE-ECDSA-AES256-CCM
    C0A3 DHE-RSA-AES256-CCM8; C09F DHE-RSA-AES256-CCM; C05D ECDHE-ECDSA-ARIA256-GCM-SHA384
    C061 ECDHE-ARIA256-GCM-SHA384; C057 DHE-DSS-ARIA256-GCM-SHA384; C053 DHE-RSA-ARIA256-GCM-SHA384
    00A7 ADH-AES256-GCM-SHA384; C02B ECDHE-ECDSA-AES128-GCM-SHA256; C02F ECDHE-RSA-AES128-GCM-SHA256
    00A2 DHE-DSS-AES128-GCM-SHA256; 009E DHE-RSA-AES128-GCM-SHA256; C0AE ECDHE-ECDSA-AES128-CCM8
    C0AC ECDHE-ECDSA-AES128-CCM; C0A2 DHE-RSA-AES128-CCM8; C09E DHE-RSA-AES128-CCM
    C05C ECDHE-ECDSA-ARIA128-GCM-SHA256; C060 ECDHE-ARIA128-GCM-SHA256; C056 DHE-DSS-ARIA128-GCM-SHA256
    C052 DHE-RSA-ARIA128-GCM-SHA256; 00A6 ADH-AES128-GCM-SHA256; C024 ECDHE-ECDSA-AES256-SHA384
    C028 ECDHE-RSA-AES256-SHA384; 006B DHE-RSA-AES256-SHA256; 006A DHE-DSS-AES256-SHA256
    C073 ECDHE-ECDSA-CAMELLIA256-SHA384; C077 ECDHE-RSA-CAMELLIA256-SHA384; 00C4 DHE-RSA-CAMELLIA256-SHA256
    00C3 DHE-DSS-CAMELLIA256-SHA256; 006D ADH-AES256-SHA256; 00C5 ADH-CAMELLIA256-SHA256
    C023 ECDHE-ECDSA-AES128-SHA256; C027 ECDHE-RSA-AES128-SHA256; 0067 DHE-RSA-AES128-SHA256
    0040 DHE-DSS-AES128-SHA256; C072 ECDHE-ECDSA-CAMELLIA128-SHA256; C076 ECDHE-RSA-CAMELLIA128-SHA256
    00BE DHE-RSA-CAMELLIA128-SHA256; 00BD DHE-DSS-CAMELLIA128-SHA256; 006C ADH-AES128-SHA256
    00BF ADH-CAMELLIA128-SHA256; C00A ECDHE-ECDSA-AES256-SHA; C014 ECDHE-RSA-AES256-SHA
    0039 DHE-RSA-AES256-SHA; 0038 DHE-DSS-AES256-SHA; 0088 DHE-RSA-CAMELLIA256-SHA
    0087 DHE-DSS-CAMELLIA256-SHA; C019 AECDH-AES256-SHA; 003A ADH-AES256-SHA; 0089 ADH-CAMELLIA256-SHA
    C009 ECDHE-ECDSA-AES128-SHA; C013 ECDHE-RSA-AES128-SHA; 0033 DHE-RSA-AES128-SHA; 0032 DHE-DSS-AES128-SHA
    0045 DHE-RSA-CAMELLIA128-SHA; 0044 DHE-DSS-CAMELLIA128-SHA; C018 AECDH-AES128-SHA; 0034 ADH-AES128-SHA
    0046 ADH-CAMELLIA128-SHA; C006 ECDHE-ECDSA-NULL-SHA; C010 ECDHE-RSA-NULL-SHA
    00AD RSA-PSK-AES256-GCM-SHA384; 00AB DHE-PSK-AES256-GCM-SHA384; CCAE RSA-PSK-CHACHA20-POLY1305
    CCAD DHE-PSK-CHACHA20-POLY1305; CCAC ECDHE-PSK-CHACHA20-POLY1305; C0AB DHE-PSK-AES256-CCM8
    C0A7 DHE-PSK-AES256-CCM; C06F RSA-PSK-ARIA256-GCM-SHA384; C06D DHE-PSK-ARIA256-GCM-SHA384
    009D AES256-GCM-SHA384; C0A1 AES256-CCM8; C09D AES256-CCM; C051 ARIA256-GCM-SHA384
    00A9 PSK-AES256-GCM-SHA384; CCAB PSK-CHACHA20-POLY1305; C0A9 PSK-AES256-CCM8; C0A5 PSK-AES256-CCM
    C06B PSK-ARIA256-GCM-SHA384; 00AC RSA-PSK-AES128-GCM-SHA256; 00AA DHE-PSK-AES128-GCM-SHA256
    C0AA DHE-PSK-AES128-CCM8; C0A6 DHE-PSK-AES128-CCM; C06E RSA-PSK-ARIA128-GCM-SHA256
    C06C DHE-PSK-ARIA128-GCM-SHA256; 009C AES128-GCM-SHA256; C0A0 AES128-CCM8; C09C AES128-CCM
    C050 ARIA128-GCM-SHA256; 00A8 PSK-AES128-GCM-SHA256; C0A8 PSK-AES128-CCM8; C0A4 PSK-AES128-CCM
    C06A PSK-ARIA128-GCM-SHA256; 003D AES256-SHA256; 00C0 CAMELLIA256-SHA256; 003C AES128-SHA256
    00BA CAMELLIA128-SHA256; C015 AECDH-NULL-SHA; C038 ECDHE-PSK-AES256-CBC-SHA384
    C036 ECDHE-PSK-AES256-CBC-SHA; C022 SRP-DSS-AES-256-CBC-SHA; 003B NULL-SHA256
    C021 SRP-RSA-AES-256-CBC-SHA; C020 SRP-AES-256-CBC-SHA; 00B7 RSA-PSK-AES256-CBC-SHA384
    00B3 DHE-PSK-AES256-CBC-SHA384; 0095 RSA-PSK-AES256-CBC-SHA; 0091 DHE-PSK-AES256-CBC-SHA
    C09B ECDHE-PSK-CAMELLIA256-SHA384; C099 RSA-PSK-CAMELLIA256-SHA384; C097 DHE-PSK-CAMELLIA256-SHA384
    0035 AES256-SHA; 0084 CAMELLIA256-SHA; 00AF PSK-AES256-CBC-SHA384; 008D PSK-AES256-CBC-SHA
    C095 PSK-CAMELLIA256-SHA384; C037 ECDHE-PSK-AES128-CBC-SHA256; C035 ECDHE-PSK-AES128-CBC-SHA
    C01F SRP-DSS-AES-128-CBC-SHA; C01E SRP-RSA-AES-128-CBC-SHA; C01D SRP-AES-128-CBC-SHA
    00B6 RSA-PSK-AES128-CBC-SHA256; 00B2 DHE-PSK-AES128-CBC-SHA256; 0094 RSA-PSK-AES128-CBC-SHA
    0090 DHE-PSK-AES128-CBC-SHA; C09A ECDHE-PSK-CAMELLIA128-SHA256; C098 RSA-PSK-CAMELLIA128-SHA256
    C096 DHE-PSK-CAMELLIA128-SHA256; 002F AES128-SHA; 0041 CAMELLIA128-SHA; 00AE PSK-AES128-CBC-SHA256
    008C PSK-AES128-CBC-SHA; C094 PSK-CAMELLIA128-SHA256; C03B ECDHE-PSK-NULL-SHA384
    C03A ECDHE-PSK-NULL-SHA256; C039 ECDHE-PSK-NULL-SHA; 00B9 RSA-PSK-NULL-SHA384; 00B8 RSA-PSK-NULL-SHA256
    00B5 DHE-PSK-NULL-SHA384; 00B4 DHE-PSK-NULL-SHA256; 002E RSA-PSK-NULL-SHA; 002D DHE-PSK-NULL-SHA
    0002 NULL-SHA; 0001 NULL-MD5; 00B1 PSK-NULL-SHA384; 00B0 PSK-NULL-SHA256; 002C PSK-NULL-SHA
"""

# How a name begins says how keys are exchanged and who signs.
_EXCHANGES = {
    "ECDHE-ECDSA": ("ECDHE", "ECDSA"),
    "ECDHE-RSA": ("ECDHE", "RSA"),
    "ECDHE-PSK": ("ECDHEPSK", "PSK"),
    "ECDHE": ("ECDHE", "RSA"),
    "DHE-RSA": ("DHE", "RSA"),
    "DHE-DSS": ("DHE", "DSS"),
    "DHE-PSK": ("DHEPSK", "PSK"),
    "RSA-PSK": ("RSAPSK", "RSA"),
    "PSK": ("PSK", "PSK"),
    "SRP-RSA": ("SRP", "RSA"),
    "SRP-DSS": ("SRP", "DSS"),
    "SRP": ("SRP", "SRP"),
    "AECDH": ("ECDHE", "NULL"),
    "ADH": ("DHE", "NULL"),
    "": ("RSA", "RSA"),
}
_AES = ("AES128", "AES256", "AESGCM128", "AESGCM256", "AESCCM128", "AESCCM256", "AESCCM8128", "AESCCM8256")
_CAMELLIA, _ARIA = ("CAMELLIA128", "CAMELLIA256"), ("ARIA128", "ARIA256")
_EPHEMERAL_AUTH = ("RSA", "DSS", "ECDSA", "PSK", "SRP")
_PSK = ("PSK", "RSAPSK", "DHEPSK", "ECDHEPSK")

# A class: which values of which property its suites have.
Class = dict[str, tuple[str, ...]]
CLASSES: dict[str, Class] = {
    "ALL": {"cipher": (*_AES, *_CAMELLIA, *_ARIA, "CHACHA20")},
    "COMPLEMENTOFALL": {"cipher": ("NULL",)},
    "COMPLEMENTOFDEFAULT": {"is_default": ("no",)},
    "HIGH": {"cipher": (*_AES, *_CAMELLIA, *_ARIA, "CHACHA20")},
    "FIPS": {
        "cipher": ("AES128", "AES256", "AESGCM128", "AESGCM256"),
        "exchange": ("RSA", "DHE", "ECDHE", *_PSK),
    },
    "kRSA": {"exchange": ("RSA",)},
    "RSA": {"exchange": ("RSA",)},
    "kDHE": {"exchange": ("DHE",)},
    "kEDH": {"exchange": ("DHE",)},
    "DH": {"exchange": ("DHE",)},
    "kECDHE": {"exchange": ("ECDHE",)},
    "kEECDH": {"exchange": ("ECDHE",)},
    "ECDH": {"exchange": ("ECDHE",)},
    "DHE": {"exchange": ("DHE",), "auth": _EPHEMERAL_AUTH},
    "EDH": {"exchange": ("DHE",), "auth": _EPHEMERAL_AUTH},
    "ECDHE": {"exchange": ("ECDHE",), "auth": _EPHEMERAL_AUTH},
    "EECDH": {"exchange": ("ECDHE",), "auth": _EPHEMERAL_AUTH},
    "ADH": {"exchange": ("DHE",), "auth": ("NULL",)},
    "AECDH": {"exchange": ("ECDHE",), "auth": ("NULL",)},
    "kPSK": {"exchange": ("PSK",)},
    "kRSAPSK": {"exchange": ("RSAPSK",)},
    "kDHEPSK": {"exchange": ("DHEPSK",)},
    "kECDHEPSK": {"exchange": ("ECDHEPSK",)},
    "PSK": {"exchange": _PSK},
    "kSRP": {"exchange": ("SRP",)},
    "SRP": {"exchange": ("SRP",)},
    "aRSA": {"auth": ("RSA",)},
    "aDSS": {"auth": ("DSS",)},
    "DSS": {"auth": ("DSS",)},
    "aECDSA": {"auth": ("ECDSA",)},
    "ECDSA": {"auth": ("ECDSA",)},
    "aPSK": {"auth": ("PSK",)},
    "aSRP": {"auth": ("SRP",)},
    "aNULL": {"auth": ("NULL",)},
    "eNULL": {"cipher": ("NULL",)},
    "NULL": {"cipher": ("NULL",)},
    "AES": {"cipher": _AES},
    "AES128": {"cipher": tuple(each for each in _AES if each.endswith("128"))},
    "AES256": {"cipher": tuple(each for each in _AES if each.endswith("256"))},
    "AESGCM": {"cipher": ("AESGCM128", "AESGCM256")},
    "AESCCM": {"cipher": ("AESCCM128", "AESCCM256", "AESCCM8128", "AESCCM8256")},
    "AESCCM8": {"cipher": ("AESCCM8128", "AESCCM8256")},
    "CAMELLIA": {"cipher": _CAMELLIA},
    "CAMELLIA128": {"cipher": ("CAMELLIA128",)},
    "CAMELLIA256": {"cipher": ("CAMELLIA256",)},
    "ARIA": {"cipher": _ARIA},
    "ARIAGCM": {"cipher": _ARIA},
    "ARIA128": {"cipher": ("ARIA128",)},
    "ARIA256": {"cipher": ("ARIA256",)},
    "CHACHA20": {"cipher": ("CHACHA20",)},
    "CBC": {"cipher": ("AES128", "AES256", *_CAMELLIA)},
    "MD5": {"mac": ("MD5",)},
    "SHA": {"mac": ("SHA",)},
    "SHA1": {"mac": ("SHA",)},
    "SHA256": {"mac": ("SHA256",)},
    "SHA384": {"mac": ("SHA384",)},
    "SSLv3": {"version": ("SSLv3",)},
    "TLSv1": {"version": ("TLSv1",)},
    "TLSv1.0": {"version": ("TLSv1",)},
    "TLSv1.2": {"version": ("TLSv1.2",)},
}


class CipherListError(ValueError):
    """What is no list, or leaves no suite."""


class Suite(NamedTuple):
    """One suite of TLS 1.2 or older; the properties are what the classes choose by."""

    code: int
    name: str
    exchange: str
    auth: str
    cipher: str
    mac: str
    version: str
    is_default: str
    strength: int

    @classmethod
    def read(cls, row: str) -> Suite:
        number, name = row.split()
        begin = max((each for each in _EXCHANGES if f"{name}-".startswith(f"{each}-" * bool(each))), key=len)
        exchange, auth = _EXCHANGES[begin]
        words = name.removeprefix(begin).removeprefix("-").replace("AES-", "AES").split("-")
        cipher, mac, is_aead = words[0], words[-1], words[0] == "CHACHA20"
        if words[1:2] in (["GCM"], ["CCM"], ["CCM8"]):
            is_aead = True
            cipher = cipher.replace("AES", "AES" + words[1])
        strength = 0 if cipher == "NULL" else 256 if is_aead and cipher == "CHACHA20" else int(cipher[-3:])
        version = "SSLv3"
        if is_aead:
            mac, version = "AEAD", "TLSv1.2"
        elif mac in ("SHA256", "SHA384"):
            version = "TLSv1" if exchange in _PSK else "TLSv1.2"
        elif exchange in ("ECDHE", "ECDHEPSK"):
            version = "TLSv1"
        is_rare = auth in ("NULL", "DSS") or cipher.startswith(("AESCCM", "CAMELLIA", "ARIA"))
        is_default = "no" if is_rare and cipher != "NULL" else "yes"
        return cls(int(number, 16), name, exchange, auth, cipher, mac, version, is_default, strength)

    def is_in(self, chosen: Class) -> bool:
        return all(getattr(self, name) in values for name, values in chosen.items())


def read_cipher_list(text: str) -> list[Suite]:
    """Return the suites in the order asked for."""
    choice = Choice()
    suite_b = next((each for each in SUITE_B if text.startswith(each)), None)
    if suite_b is not None:
        text = SUITE_B[suite_b]
    elif text.startswith("DEFAULT"):
        choice.obey(DEFAULT)
        text = text.removeprefix("DEFAULT").removeprefix(":")
    choice.obey(text)
    if not choice.chosen:
        raise CipherListError("no suite is left")
    return choice.chosen


class Choice:
    """The suites chosen so far, and those that still may be, both in order."""

    def __init__(self) -> None:
        self.chosen: list[Suite] = []
        self.others = [
            Suite.read(row) for line in _SUITES.split("\n") for row in line.split(";") if row.strip()
        ]
        self._by_name = {suite.name: suite for suite in self.others}

    def obey(self, text: str) -> None:
        """Follow the rules from left to right; CipherListError where one is none."""
        at = 0
        while at < len(text):
            if text[at] in SEPARATORS:
                at += 1
                continue
            rule = text[at] if text[at] in "-+!@" else ""
            at += len(rule)
            words = []
            while True:
                end = at
                while end < len(text) and text[end] in WORD:
                    end += 1
                if end == at:
                    raise CipherListError(f"a name is due at {text[at:]!r}")
                words.append(text[at:end])
                at = end + 1
                # What follows an unknown word does not matter any more.
                if text[end : end + 1] != "+" or rule == "@" or not self._is_known(words[-1]):
                    at = end
                    break
            if rule == "@":
                self._command(words[0])
            elif (matching := self._matching(words)) is not None:
                self._apply(rule, matching)
                continue
            while at < len(text) and text[at] not in SEPARATORS:
                at += 1

    def _is_known(self, word: str) -> bool:
        return word in CLASSES or word in self._by_name

    def _command(self, word: str) -> None:
        if word == "STRENGTH":
            self.chosen.sort(key=lambda suite: -suite.strength)
        elif not (word.startswith("SECLEVEL=") and word[9:] in ("0", "1", "2", "3", "4", "5")):
            raise CipherListError(f"no such command: @{word}")

    def _matching(self, words: list[str]) -> set[str] | None:
        """The names in all of the classes; None where a word is not known or they have nothing in common."""
        found = {suite.name for suite in (*self.chosen, *self.others)}
        wanted: Class = {}
        for word in words:
            if word in self._by_name:
                found &= {word}
                continue
            if word not in CLASSES:
                return None
            for name, values in CLASSES[word].items():
                both = tuple(each for each in wanted.get(name, values) if each in values)
                if not both:
                    return None
                wanted[name] = both
        return {name for name in found if self._by_name[name].is_in(wanted)}

    def _apply(self, rule: str, names: set[str]) -> None:
        matching = [suite for suite in self.chosen if suite.name in names]
        rest = [suite for suite in self.chosen if suite.name not in names]
        if rule == "":
            self.chosen += [suite for suite in self.others if suite.name in names]
            self.others = [suite for suite in self.others if suite.name not in names]
        elif rule == "+":
            self.chosen = rest + matching
        else:
            self.chosen = rest
            if rule == "-":  # they come first when a later class has them again
                self.others = matching + self.others
            else:
                self.others = [suite for suite in self.others if suite.name not in names]
