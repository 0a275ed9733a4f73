"""The judgement of a request by negative lists, and the other policy data, as pure functions of their arguments."""
