"""The corpora that emotone-base is trained on, by the names of their readers and folders."""

CORPORA = ("emodb", "ravdess", "nemo", "savee", "emovo", "aesdd", "ased")
