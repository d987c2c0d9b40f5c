from typing import Literal
from emotone.corpora.base import CorpusOptions
class SyntheticOptions(CorpusOptions):
    name: Literal["synthetic"] = "synthetic"
def read(o): ...
