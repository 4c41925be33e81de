"""What is known about the items in words, as numbers."""

import numpy as np
from scipy.sparse import csr_matrix

from recbench.datasets.ratings import Catalogue


def tfidf_of_items(catalogue: Catalogue, max_features: int | None = None) -> csr_matrix:
    """The items x terms TF-IDF matrix of `Catalogue.texts()`, float32, each row of length one.

    Weighed by scikit-learn's TfidfVectorizer without English stop words, on each item's overview or
    else its title and genres; `max_features` keeps the most frequent terms only. The vocabulary is
    the whole catalogue's, which says nothing about the ratings that are to be predicted. An item
    without any term has a row of zeros; where no item has one, there is one column of zeros.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = catalogue.texts()
    vectorizer = TfidfVectorizer(stop_words="english", max_features=max_features, dtype=np.float32)

    find_terms = vectorizer.build_analyzer()
    if not any(find_terms(text) for text in texts):
        # scikit-learn raises an error at an empty vocabulary
        return csr_matrix((len(texts), 1), dtype=np.float32)

    return csr_matrix(vectorizer.fit_transform(texts))
