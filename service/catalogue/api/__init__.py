"""The catalogue for programs: what there is of datasets, and uploads by their stewards."""

from service.catalogue.api import datasets as datasets
from service.catalogue.api import uploads as uploads
from service.catalogue.api.parts import api

__all__ = ["api"]
