"""Active currencies of ISO 4217 (list one) and how many decimals each has.

Funds codes, precious metals and testing codes (the X… codes other than the four currency unions) are left out: no
provider charges them.
"""

from types import MappingProxyType
from typing import Final

_TWO_DECIMALS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
TTD TWD TZS UAH USD UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
""".split()  # noqa: SIM905 - a table reads better without quotes
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split()  # noqa: SIM905
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND".split()  # noqa: SIM905
_FOUR_DECIMALS = "CLF UYW".split()  # noqa: SIM905

EXPONENTS: Final = MappingProxyType(
    dict.fromkeys(_TWO_DECIMALS, 2)
    | dict.fromkeys(_NO_DECIMALS, 0)
    | dict.fromkeys(_THREE_DECIMALS, 3)
    | dict.fromkeys(_FOUR_DECIMALS, 4)
)


def is_known(code: str) -> bool:
    """Tell whether ``code`` is an active ISO 4217 currency, in capital letters."""
    return code in EXPONENTS


def exponent(code: str) -> int:
    """Return the number of decimals of a known currency; ``KeyError`` for an unknown one."""
    return EXPONENTS[code]
