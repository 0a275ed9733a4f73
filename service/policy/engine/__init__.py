"""Reads the policies folder strictly and holds what is in force; what cannot be read stops the process."""

from service.policy.engine.folder import Policies as Policies
from service.policy.engine.folder import current as current
from service.policy.engine.folder import load as load
from service.policy.engine.folder import use as use
from service.policy.engine.reading import PolicyError as PolicyError
