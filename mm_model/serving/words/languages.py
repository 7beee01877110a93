"""The plainest words for nudity and for children in other languages.

The served encoders read English best, but a name in another language is no way around the rules.
These are common words alone; phrases that go around them are not known here. Words in Latin letters
stand without accents or with them, phrases are parted by `;`.
"""

import re

_AGE = r"(?<!\d)(?:[1-9]|1[0-7])"

NUDITY_LATIN = {
    "Spanish, Portuguese, Italian, Catalan": r"""
        desnud[oae]s?; desnudarse; desnudando; desnud[aá]ndose; desnudez; encuerad[oa]s?; tetas;
        pezon(?:es)?; nud[oai]; svestit[oaie]; spogliat[oaie]; spogliarello; denudat[oaie]; nua;
        nuas; pelad[oa]s?; despid[oa]s?; empelotad[oa]; culo; pornografia; seios; seminuda?;
        semidesnud[oa];
        (?:sin|sem) (?:nada de )?(?:ropas?|roupas?|prendas|camiseta|sujetador|vestir);
        senza (?:vestiti|abiti|indumenti|reggiseno);
        en (?:cueros|pelotas|bolas|bragas|tanga|calzoncillos);
        desvestid[oa]s?; sin nada (?:puesto|encima); sem nada (?:vestido|por cima);
        se quita (?:el|los|las) (?:sujetador|vestido|pantalones|bragas|sosten|tanga|bikini);
        si toglie (?:il|la|i|le|tutti i) (?:vestit[oi]|reggiseno|mutand\w+|gonna|pantaloni);
        in mutande; (?:de|em|so de) (?:calcinha|cueca);
        tira (?:o|os|as) (?:vestido|roupas?|sutia|calcinha|calcas); ropa interior;
        se (?:quita|quite|quiten|quit[oó]|despoja|saca|saque) (?:la|toda la|de la|su) ropa;
        quit(?:arle|ale|[aá]ndose|arse|ar|[aá]ndole|e|en) (?:la|toda la|su|el|los) (?:ropa|vestido|
        sujetador|bikini|pantalones); toda la ropa fuera; completamente desvestid[oa];
        tir(?:a|ando|ar|e|em|ou) (?:a|toda a|sua) roupa; fic(?:a|ando|ar) pelad[oa];
        si (?:spoglia|sveste); se desnuda; se desviste; seno scoperto;
        pechos? (?:al aire|descubiertos?); lenceria; roupa intima;
        (?:sin|sem|senza) (?:una sola|un solo|ninguna|nenhuma|ni una|alcun|nessun|niente|nulla)\s?
        (?:prendas?|pecas?|vestit\w+|indument\w+|trapo|addosso|hilo);
        como (?:dios|deus) (?:la|lo|o|a) (?:trajo|hizo|trouxe)""",
    "French": r"""
        nue?s?; denude?e?s?; deshabille(?:e|es|s|nt|r)?; nudite; seins; tetons; devetue?s?;
        nichons;
        pornographi\w*; a poil; sans (?:vetements?|habits|soutien gorge|culotte|rien sur);
        torse nu; tenue d'(?:eve|adam); dans le plus simple appareil; se (?:deshabille|denude);
        (?:enl[eè]v|retir|ot|quitt)(?:e|er|ent|ez|ant) (?:(?:tous )?ses|sa|son|(?:tous )?les)\s
        (?:vetements|habits|robe|culotte|soutien gorge|jupe|pantalon);
        (?:seulement|uniquement|juste|que) (?:une serviette|des bulles|un sourire|sa peau);
        sans (?:le moindre|aucun|un seul) (?:vetement|habit|tissu);
        en sous vetements""",
    "German, Dutch": r"""
        nackt\w*; nackig\w*; splitternackt\w*; splitterfasernackt\w*; halbnackt\w*;
        unbekleidet\w*;
        entkleidet\w*; ausgezogen\w*; hullenlos\w*; entbloss?t\w*; entblößt\w*; barbusig\w*;
        aktmodell; aktfotos?; aktbild; busen; bruste; brüste; fkk; unterwasche; reizwasche;
        oben ohne; ohne (?:kleidung|kleider|klamotten|was an|bh|bekleidung);
        zieht (?:sich|ihre? \w+|seine? \w+|alles) aus; (?:kleider|klamotten|kleidung|hullen|
        sachen|alles) (?:weg|aus|runter|herunter|fallen lassen)(?! (?:der|dem|dieser));
        lasst (?:alle )?hullen fallen; nichts an(?!deres);
        wie gott (?:sie|ihn|mich|uns) (?:schuf|erschuf|geschaffen hat);
        (?:keine|keinerlei|ohne jede|ohne alle) (?:kleid(?:ung|er)|klamotten); ohne einen (?:faden|
        fetzen); nichts anhat; nur (?:mit )?(?:einem )?(?:handtuch|
        schaum|haut) bekleidet; im (?:adams?|evas?) ?kostum; naakte?; naaktheid;
        halfnaakt\w*; ontkleed\w*; uitgekleed\w*; poedelnaakt\w*; ontbloot\w*; kleedt zich uit;
        zonder (?:kleren|kleding|bh); in adamskostuum""",
    "Scandinavian, Finnish": r"""
        naken; nakna; naket; nogen; nogne; nøgen; nøgne; alaston; alasti; alastomana; avkladd;
        avkledd; utan klader; uten klaer; uden toj; ilman vaatteita""",
    "Polish, Czech, Croatian": r"""
        nag(?:ą|iej|i); nago; nag[aie] kobiet\w*; nagi mezczyzna; nagosc;
        rozebran[aeyi]\w*; goł[aey]\w*; nah[áéý]\w*; svlecen\w*;
        svlekla; obnazen\w*; obnažen\w*; bez (?:ubran|ubrania|obleceni|odjece|odece|ciuchow)""",
    "Turkish": r"""
        c[iı]plak\w*; c[iı]r[iı]lc[iı]plak\w*; soyun\w*; ustsuz; giysisiz; k[iı]yafetsiz""",
    "Romanian, Hungarian": r"""
        dezbracat\w*; goală; fara haine; meztelen\w*; ruhatlan\w*; vetkoz\w*""",
    "Vietnamese, Indonesian, Tagalog": r"""
        khoa than; tran truong; khong mac (?:quan ao|do|gi); telanjang; bugil; hubad; hubo't;
        tanpa (?:busana|baju|pakaian)""",
}

NUDITY_OTHER = {
    "Russian, Ukrainian": r"""
        (?<!\w)гол(?:ый|ая|ое|ые|ую|ой|ого|ому|ым|ыми|ых|ышом|ий|і|а|ою|яка)(?!\w);
        (?<!\w)обнаж\w*;
        (?<!\w)нагот\w*; (?<!\w)наг(?:ой|ая|ие|ую|ого|им|ишом|а)(?!\w); (?<!\w)разде(?:т|ва|л)\w*;
        (?<!\w)огол[её]н\w*; (?<!\w)роздяг\w*; топлес; порно; эроти; стриптиз; (?<!\w)ню(?!\w);
        (?<!\w)полугол\w*; без (?:одежды|одягу|дрехи|трусов|лифчика); нижнем белье;
        снимает (?:с себя )?(?:одежду|платье|бель[её]|вс[её]); в ч[её]м мать родила""",
    "Chinese": r"""
        裸(?!眼|色|妆|妝|婚|辞|麦|考|机); 赤条条; 一丝不挂; 一絲不掛; 脱光; 脫光; 脱衣; 脫衣;
        不穿衣;
        [脱脫]掉.{0,4}[衣裙裤褲]; [没沒]穿衣; [没沒]有穿(?:任何)?衣; 不着寸缕; 光[着著]身;
        光身; 露[点點];
        露乳; 乳房; 乳[头頭]; 色情; 情色; 阴部; 只穿[内內]衣; 穿[着著][内內]衣; 上身赤;
        做[爱愛]; 性感[内內]衣""",
    "Japanese": r"""
        裸(?!足|眼|子|色|馬|麦|電); ヌード(?!カラー|リップ|ベージュ|ピンク|トーン|色|系);
        はだか; ハダカ;
        服を(?:脱|ぬ|着て?い?な|着ず); 衣服を(?:脱|着け); 脱衣(?!所|場|室); トップレス; 乳房;
        乳首; おっぱい;
        下着(?:姿|だけ|のみ|一枚|で); エロ; ポルノ; 何も(?:着|身に); 一糸まとわ; 素っ裸;
        すっぽんぽん""",
    "Korean": r"""
        누드(?!톤|립|색|\s?메이크업|\s?베이지|\s?핑크|\s?컬러); 알몸; 나체; 벌거; 발가벗;
        상의\s?탈의; 상의를?\s?벗; 벗은\s?(?:몸|여|남|사람|모습); 탈의한;
        옷을?\s?(?:다\s?|모두\s?|전부\s?)?벗;
        옷을?\s?(?:하나도\s?|전혀\s?)?(?:안\s?입|입지\s?않); 반라; 맨몸;
        아무것도\s?(?:안\s?입|입지\s?않|걸치지); 속옷(?:만|\s?차림); 가슴을?\s?(?:드러|노출);
        노출된\s?가슴;
        젖꼭지; 유두; 포르노; 야동; 실오라기""",
    "Arabic, Persian, Urdu": r"""
        عار(?:ي|ية|يه|يا|ياً|يات)(?!\w); عراة; عريان; (?:بدون|بلا|من دون) ملابس; برهنه; لخت;
        [اإ]باحي;
        ننگ[یا]; برہنہ""",
    "Hindi, Bengali": r"नग्न; नंग[ाीे]; निर्वस्त्र; बिना कपड; নগ্ন; উলঙ্গ; কাপড় ছাড়া",
    "Hebrew, Greek, Thai": r"""
        עי?רומ?ים?ה?(?!\w); ערום; ערטילאי; (?<!\w)γυμν; χωρ[ιί]ς ρο[υύ]χα; เปลือย; โป๊;
        ไม่(?:ใส่|สวม)เสื้อผ้า""",
    "Vietnamese": r"khỏa thân; khoả thân; trần truồng; không mặc (?:quần áo|đồ|gì)",
}

CHILD_LATIN = {
    "Spanish, Portuguese, Catalan": rf"""
        niñ[oa]s?; niñit[oa]s?; (?:a|un|el|del|los|una|la|las|al) nin[oa]s?; beb[eé]s?;
        adolescentes?;
        colegial(?:a|es|as)?; chiquill[oa]s?; muchachit[oa]s?; criaturas?; lactantes?;
        menin[oa]s?;
        crian[cç](?:a|as|inha); garot(?:o|a|os|as|inha|inho); quinceañer[oa]; quinceaner[oa];
        parvul[oa]s?; chaval(?:a|as|es)?; rec(?:ien|em) na(?:cid|scid)[oa];
        de (?:nin[oa]|pequen[oa]|chic[oa]|crianca) (?=con|com|jugando|en|no|na);
        cuando era (?:nin[oa]|pequen[oa]); quando era (?:crianca|pequen[oa]|piccol[oa]|bambin[oa]);
        menor(?:es)? de (?:edad|idade); (?:de )?{_AGE} (?:anos|años|anitos|añitos|meses);
        de (?:dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|
        dieciseis|diecisiete|sete|oito|nove|dez|doze|treze|quinze) (?:anos|años)""",
    "French": rf"""
        enfants?; enfantin\w*; fillettes?; gar[cç]onnets?; gamins?; adolescent(?:e|es); ados?;
        lyceen(?:ne|nes|s)?; ecolier(?:e|s|es)?; collegien(?:ne|s|nes)?; nourrissons?; bambins?;
        gosses?; mineures?; mioches?; gar[cç]ons?; petite? fille; jeunes? filles?; une fille;
        nouveau ne; en enfance; lui enfant; elle enfant; quand (?:il|elle) etait (?:petite?|
        enfant|bebe); {_AGE} ans;
        (?:deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|
        quatorze|quinze|seize) ans""",
    "Italian, Romanian": rf"""
        bambin[oaie]; ragazzin[oaie]; neonat[oaie]; minorenn[ei]; fanciull[oaie]; bimb[aie];
        (?:di )?{_AGE} anni;
        (?:tre|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici|tredici|
        quattordici|quindici|sedici|diciassette) anni; copil\w*; fetit[ae]; baietel\w*;
        {_AGE} ani""",
    "German, Dutch": rf"""
        kinder; kindes; kindlich\w*; kleinkind\w*; m[aä]dchen; maedchen; s[aä]ugling\w*;
        schulkind\w*;
        sch[uü]ler\w*; jugendliche\w*; minderj[aä]hrig\w*; teenies?; knabe; bub; kindchen;
        grundsch[uü]l\w*; kindergartenkind\w*; [a-z]+j[aä]hrige[rsn]?; neugeborene\w*;
        (?:ein|das|als|dem|des|kleines|kleine|een|het|klein|junges|dieses) kind;
        (?:ein|der|kleiner?|als) junge(?! (?:frau|dame|mann|leute));
        klein\w* (?:jungen?|kindern?|buben?); als (?:kind|baby|teenager|teenie|bub);
        (?:in (?:seiner|ihrer)|aus (?:seiner|ihrer)) kindheit;
        {_AGE} (?:jahre|j[aä]hrige\w*|jaar|jarige?);
        (?:drei|vier|f[uü]nf|sechs|sieben|acht|neun|zehn|
        elf|zw[oö]lf) jahre; kindje\w*; kinderen; meisje\w*; jongetje\w*; jongen; peuter\w*;
        kleuter\w*; tiener\w*; zuigeling; minderjarige?""",
    "Scandinavian, Finnish": rf"""
        flick(?:a|or); pojk(?:e|ar); bebis\w*; sp[aä]dbarn; sm[aå]barn; ton[aå]ring\w*; barnet;
        (?:ett|et|litet|lille|lite) (?:barn|pige|dreng|jente|gutt); lapsi; lapsen; tytt[oö];
        poika;
        vauva; teini\w*; {_AGE} [aå]r (?:gammal|gammel); {_AGE} [aå]rig""",
    "Polish, Czech, Croatian": rf"""
        dzieck\w*; dzieci\w*; dziewczyn(?:ka|ki|ke|kę|kami); ch[lł]op(?:iec|ca|czyk\w*);
        niemowl\w*;
        nastolat\w*; dít[eě]; děti; holcick\w*; holčičk\w*; chlapec; kojenec; devojcica;
        djevojcica;
        djecak; nieletni\w*; {_AGE} (?:lat|letni\w*)""",
    "Turkish": rf"[cç]ocu[kgğ]\w*; bebek\w*; ergen(?:lik)?; oglan\w*; {_AGE} ya[sş][iı]nda\w*",
    "Indonesian, Hungarian, Vietnamese": r"""
        anak (?:kecil|perempuan|laki); bayi; remaja; balita; gyerek\w*; gyermek\w*; kisl[aá]ny;
        kisfi[uú]; csecsemo; tre em; be (?:gai|trai)""",
}

CHILD_OTHER = {
    "Russian, Ukrainian": rf"""
        (?<!\w)реб[её]н\w*; (?<!\w)дет(?:и|ей|ям|ьми|ях|ская|е)(?!\w); (?<!\w)дит(?:я|ин)\w*;
        (?<!\w)девоч[ке]\w*; (?<!\w)дівч\w*; (?<!\w)мальчи\w*; (?<!\w)хлопч\w*; младен; немовл;
        подрост; підліт; школьни; школяр; (?<!\w)малыш\w*; несовершеннолет; неповнолітн; момиче;
        момче; (?<!\w)бебе(?!\w); первоклас; тинейджер; (?<!\w)малютк\w*;
        {_AGE}[ -]?(?:лет|года?|летн\w+|років|річн\w+)(?!\w);
        (?<!\w)(?:пяти|шести|семи|восьми|девяти|
        десяти|двенадцати|тринадцати|четырнадцати|пятнадцати)летн\w+;
        (?<!\w)(?:пять|шесть|семь|восемь|
        девять|десять|одиннадцать|двенадцать) лет""",
    "Chinese": r"""
        小孩; 孩子; 孩童; 儿童; 兒童; 女孩; 男孩; 婴; 嬰; 宝宝; 寶寶; 幼儿; 幼兒; 幼女; 幼童;
        小朋友; 未成年; 少女;
        少年(?!宫); 小学生; 小學生; 中学生; 中學生; 高中生; 初中生; 青少年; 萝莉; 蘿莉; 正太;
        女童; 男童; 孩提;
        童年时;
        (?<![\d十二三四五六七八九])(?:\d|1[0-7]|[一二三四五六七八九]|十[一二三四五六七]?)[岁歲]""",
    "Japanese": r"""
        子供(?!服|部屋); 子ども; こども; 幼児; 幼女; 赤ちゃん; 赤ん坊; 少女(?!漫画);
        少年(?!漫画|ジャンプ); 高校生;
        女子高生; 女の子; 男の子; 園児; 児童; ロリ; ショタ;
        (?<![\d十二三四五六七八九])(?:\d|1[0-7]|[一二三四五六七八九]|十[一二三四五六七]?)[歳才]""",
    "Korean": r"""
        어린이; 어린\s?(?:아이|소녀|소년|여자|남자);
        (?<![가-힣])아이(?!스|폰|디|돌|패|콘|템|러|언|보리|섀도);
        소녀(?!시대); 소년; 아기(?!자기); 유아; 초등학생; 중학생; 고등학생; 초등생; 여고생;
        여중생; 미성년; 청소년;
        여자\s?아이; 남자\s?아이; 꼬마; 갓난; 십대; 10대; 유치원생;
        (?<!\d)(?:\d|1[0-7])\s?(?:살|세)(?![가-힣]{2});
        (?:다섯|여섯|일곱|여덟|아홉|열)\s?살""",
    "Arabic, Persian, Urdu": r"""
        طفل; أطفال; اطفال; صبي(?!\w); صغيرة السن; فتاة صغيرة; رضيع; مراهق; قاصر; کودک; بچه;
        نوجوان; بچ[یہ]""",
    "Hindi, Bengali": r"बच्च[ाीेो]; शिशु; नाबालिग; बालक; बालिका; छोट[ीा] लड; किशोर; শিশু; বাচ্চা",
    "Hebrew, Greek, Thai": r"""
        (?<!\w)ה?ילד(?:ה|ים|ות)?(?!\w); (?<!\w)ה?תינוקת?(?!\w); (?<!\w)קטינה?(?!\w);
        (?<!\w)נערה?(?!\w);
        (?<!\w)παιδ[ιί]; κοριτσ[αά]κι; αγορ[αά]κι; μωρ[οό](?!\w); [εέ]φηβ; เด็ก; ทารก; วัยรุ่น""",
    "Vietnamese": r"trẻ em; em bé; bé (?:gái|trai); đứa trẻ",
}

_HARMLESS = re.compile(
    r"(?<!\w)(?:nu (?:metal|jazz|soul|disco|wave|skin)|(?:el nino|la nina)(?: (?:storm|weather|"
    r"event|year))?|(?:much )?ado|kinder (?:eggs?|surprise|than|bueno|joy|words?|man|woman|person|"
    r"look|eyes|face|gentler|and)|(?:a|be|is|far|much|little) kinder|gosses?|(?:my|his|her) bub|"
    r"(?:pieds?|mains?|bras|jambes?|tetes?|cou|epaules?|mollets?|\u0153il|oeil|yeux) nue?s?|nus? "
    r"(?:pieds?|tete)|homme torse nu|(?:pies?|pes|maos?|piedi?|mani|braccia|occhio|gambe) "
    r"nud[oaie]s?|"
    r"(?:a|com) (?:olho|ojo|occhio) nu(?:do)?|a ojo desnudo|pies desnudos|verdad desnuda|"
    r"nackten? (?:f[uü](?:ss|ß)e?n?|armen?|beinen?|h[aä]nden?|schultern?|wahrheit|tatsachen?|"
    r"b[aä]ume?n?|felsen|betonw\w+|w[aä]nde?n?|auge)|"
    r"blote (?:voeten|handen|armen|benen|oog)|bare fotter)(?!\w)"
)


def compiled(latin: dict[str, str], other: dict[str, str]) -> tuple[re.Pattern[str], ...]:
    """One pattern for words in Latin letters, one for the other alphabets."""
    return (
        re.compile(rf"(?<!\w)(?:{_alternation(latin)})(?!\w)"),
        re.compile(_alternation(other)),
    )


def _alternation(table: dict[str, str]) -> str:
    phrases = (phrase for text in table.values() for phrase in text.split(";"))
    return "|".join(re.sub(r"\n\s*", "", phrase.strip()) for phrase in phrases if phrase.strip())


def found_in(text: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    """Does one of the words stand in `text`, where English means nothing else by it?"""
    latin, other = patterns
    if not text.isascii() and other.search(text):
        return True
    return bool(latin.search(text) and latin.search(_HARMLESS.sub(" ", text)))
