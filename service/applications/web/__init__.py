"""Pages of applications: the applicant's form and case, the officer's review."""

from service.applications.web.cases import pages as pages
from service.applications.web.drafts import drafts as drafts
