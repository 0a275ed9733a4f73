"""Pages of applications: the applicant's form and case, the officer's review."""

from service.applications.web import agreements as agreements  # its routes hang on `pages`
from service.applications.web import beginnings as beginnings  # its routes hang on `drafts`
from service.applications.web import listing as listing
from service.applications.web.drafts import drafts as drafts
from service.applications.web.shown import pages as pages
