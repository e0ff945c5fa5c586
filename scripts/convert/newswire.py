"""Reuters-21578 by the split ModApte: the topics that both parts have, 256 numbers a text by latent semantic analysis
of tf-idf, and a 0 or 1 for each topic."""
import html
import re

import numpy as np

from archive import Archive
from vector_out import Bad


def stories(archive):
    """(is for training, topics, text)"""
    names = sorted(n for n in archive.names if re.fullmatch(r"reut2-\d+\.sgm", n))
    if not names:
        raise Bad(f"{archive.path}: there is no reut2-000.sgm")
    for name in names:
        with archive.open(name) as file:
            whole = file.read().decode("latin-1")
        if whole.count("<REUTERS ") != whole.count("</REUTERS>") or "<REUTERS " not in whole:
            raise Bad(f"{name}: a story does not end")
        for head, story in re.findall(r"<REUTERS ([^>]*)>(.*?)</REUTERS>", whole, re.S):
            has = dict(re.findall(r'(\w+)="([^"]*)"', head))
            topics = re.search(r"<TOPICS>(.*?)</TOPICS>", story, re.S)
            text = re.search(r"<TEXT[^>]*>(.*?)</TEXT>", story, re.S)
            if has.get("TOPICS") == "YES" and has.get("LEWISSPLIT") in ("TRAIN", "TEST") and topics and text:
                plain = html.unescape(re.sub(r"<[^>]*>", " ", text[1]))
                yield has["LEWISSPLIT"] == "TRAIN", set(re.findall(r"<D>(.*?)</D>", topics[1])), plain


def convert(args, out):
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise Bad("Reuters-21578 needs Python's sklearn: apt install python3-sklearn") from None
    found = list(stories(Archive(args.source)))
    of = {part: set().union(*[t for train, t, _ in found if train == part]) for part in (True, False)}
    topics = sorted(of[True] & of[False])
    parts = {part: [(t & set(topics), text) for train, t, text in found if train == part and t & set(topics)]
             for part in (True, False)}
    if not topics:
        raise Bad(f"{args.source}: no topic is in texts of both parts")
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True, min_df=3 if len(parts[True]) > 1000 else 1)
    counts = words.fit_transform([text for _, text in parts[True]])
    if min(counts.shape) <= args.dim:
        raise Bad(f"{args.source}: {counts.shape[0]} texts of {counts.shape[1]} words have no {args.dim} components")
    svd = TruncatedSVD(args.dim, random_state=1).fit(counts)
    for part, name in (True, "base"), (False, "query"):
        x = svd.transform(words.transform([text for _, text in parts[part]]))
        out.add(name + ".fvecs", x.astype("<f4"))
        out.add(name + "_labels.u8bin", np.array([[t in have for t in topics] for have, _ in parts[part]], "u1"))
    out.text("topics.txt", topics)
