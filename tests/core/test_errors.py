"""An error a caller can see has a stable code and a sentence."""

from paymentops.core.errors import ApplicationError, Conflict, InvalidInput, NotFound, Unavailable


def test_a_problem_document_has_the_members_of_rfc_9457() -> None:
    assert Conflict("It was captured already.", extra={"state": "CAPTURED"}).problem() == {
        "type": "urn:paymentops:problem:resource.conflict",
        "title": "This cannot be done in the present state",
        "status": 409,
        "code": "resource.conflict",
        "detail": "It was captured already.",
        "state": "CAPTURED",
    }


def test_each_kind_has_its_own_code_and_status() -> None:
    kinds = [ApplicationError, InvalidInput, NotFound, Conflict, Unavailable]
    assert [kind.status for kind in kinds] == [400, 400, 404, 409, 503]
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_an_error_prints_its_sentence() -> None:
    error = Unavailable("The database does not answer.", headers={"Retry-After": "1"})
    assert str(error) == error.detail == "The database does not answer."
    assert error.headers == {"Retry-After": "1"}
