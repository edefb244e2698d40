"""Languages by every name that people and models have for them: "en", "English", "英语", "en_XX", "eng_Latn". A table; knows no model.

A language that is not here can still be named by the code that a model itself has for it.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Language(NamedTuple):
    """One language.

    Attributes:
        code: ISO 639-1.
        name: in English, as T5 was told it ("translate English to German: ").
        chinese: in Chinese.
        mbart, nllb: the codes of those models, "" where they do not know it.
    """

    code: str
    name: str
    chinese: str
    mbart: str
    nllb: str


_TABLE = """
af Afrikaans 南非语 af_ZA afr_Latn
ar Arabic 阿拉伯语 ar_AR arb_Arab
bg Bulgarian 保加利亚语 - bul_Cyrl
bn Bengali 孟加拉语 bn_IN ben_Beng
bo Tibetan 藏语 - bod_Tibt
ca Catalan 加泰罗尼亚语 - cat_Latn
cs Czech 捷克语 cs_CZ ces_Latn
da Danish 丹麦语 - dan_Latn
de German 德语 de_DE deu_Latn
el Greek 希腊语 - ell_Grek
en English 英语 en_XX eng_Latn
es Spanish 西班牙语 es_XX spa_Latn
et Estonian 爱沙尼亚语 et_EE est_Latn
fa Persian 波斯语 fa_IR pes_Arab
fi Finnish 芬兰语 fi_FI fin_Latn
fr French 法语 fr_XX fra_Latn
gu Gujarati 古吉拉特语 gu_IN guj_Gujr
he Hebrew 希伯来语 he_IL heb_Hebr
hi Hindi 印地语 hi_IN hin_Deva
hr Croatian 克罗地亚语 hr_HR hrv_Latn
hu Hungarian 匈牙利语 - hun_Latn
id Indonesian 印尼语 id_ID ind_Latn
it Italian 意大利语 it_IT ita_Latn
ja Japanese 日语 ja_XX jpn_Jpan
ka Georgian 格鲁吉亚语 ka_GE kat_Geor
kk Kazakh 哈萨克语 kk_KZ kaz_Cyrl
km Khmer 高棉语 km_KH khm_Khmr
ko Korean 韩语 ko_KR kor_Hang
lo Lao 老挝语 - lao_Laoo
lt Lithuanian 立陶宛语 lt_LT lit_Latn
lv Latvian 拉脱维亚语 lv_LV lvs_Latn
mk Macedonian 马其顿语 mk_MK mkd_Cyrl
mn Mongolian 蒙古语 mn_MN khk_Cyrl
mr Marathi 马拉地语 mr_IN mar_Deva
ms Malay 马来语 - zsm_Latn
my Burmese 缅甸语 my_MM mya_Mymr
ne Nepali 尼泊尔语 ne_NP npi_Deva
nl Dutch 荷兰语 nl_XX nld_Latn
no Norwegian 挪威语 - nob_Latn
pl Polish 波兰语 pl_PL pol_Latn
pt Portuguese 葡萄牙语 pt_XX por_Latn
ro Romanian 罗马尼亚语 ro_RO ron_Latn
ru Russian 俄语 ru_RU rus_Cyrl
si Sinhala 僧伽罗语 si_LK sin_Sinh
sk Slovak 斯洛伐克语 - slk_Latn
sl Slovenian 斯洛文尼亚语 sl_SI slv_Latn
sr Serbian 塞尔维亚语 - srp_Cyrl
sv Swedish 瑞典语 sv_SE swe_Latn
sw Swahili 斯瓦希里语 sw_KE swh_Latn
ta Tamil 泰米尔语 ta_IN tam_Taml
te Telugu 泰卢固语 te_IN tel_Telu
th Thai 泰语 th_TH tha_Thai
tl Tagalog 他加禄语 tl_XX tgl_Latn
tr Turkish 土耳其语 tr_TR tur_Latn
ug Uyghur 维吾尔语 - uig_Arab
uk Ukrainian 乌克兰语 uk_UA ukr_Cyrl
ur Urdu 乌尔都语 ur_PK urd_Arab
vi Vietnamese 越南语 vi_VN vie_Latn
xh Xhosa 科萨语 xh_ZA xho_Latn
yue Cantonese 粤语 - yue_Hant
zh Chinese 中文 zh_CN zho_Hans
"""
LANGUAGES = {line.split()[0]: Language(*(part.strip("-") for part in line.split())) for line in _TABLE.strip().splitlines()}
_BY_NAME = {name.lower(): one for one in LANGUAGES.values() for name in one if name}
_BY_NAME |= dict.fromkeys(("汉语", "中国语", "现代汉语", "zho", "zh_tw", "zho_hant", "mandarin"), LANGUAGES["zh"])
_BY_NAME |= {one.nllb.split("_")[0]: one for one in LANGUAGES.values() if one.nllb}
_BY_NAME |= {"英文": LANGUAGES["en"], "德文": LANGUAGES["de"], "法文": LANGUAGES["fr"], "日文": LANGUAGES["ja"], "俄文": LANGUAGES["ru"]}


def language_named(name: str) -> Language | None:
    """The language that a name or a code means, None where it means none that is known here.

    >>> language_named("German").code, language_named("zh-CN").name, language_named("英语").code, language_named("note")
    ('de', 'Chinese', 'en', None)
    """
    plain = name.strip().lower().replace("-", "_")
    return _BY_NAME.get(plain) or (_BY_NAME.get(plain.split("_")[0]) if len(plain.split("_")[0]) == 2 and len(plain) == 5 else None)


def spellings(name: str) -> Sequence[str]:
    """The tokens by which multilingual models know a language; a code that was named as a model spells it comes first.

    >>> spellings("de"), spellings("zho_Hant")[0]
    (['de_DE', 'deu_Latn', '__de__', '>>de<<', '>>deu<<'], 'zho_Hant')
    """
    known = language_named(name)
    if known is None:
        return [name, f"__{name}__", f">>{name}<<"]
    codes = [name] if "_" in name else []  # a bare "de" is a piece of a word in most vocabularies
    codes += [known.mbart, known.nllb, f"__{known.code}__", f">>{known.code}<<"]
    codes += [f">>{known.nllb.split('_')[0]}<<"] if known.nllb else []
    return list(dict.fromkeys(code for code in codes if code))
