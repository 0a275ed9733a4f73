"""What the catalogue's routes for programs share: their blueprint."""

from flask import Blueprint

api = Blueprint("catalogue_api", __name__, url_prefix="/api/v1")
