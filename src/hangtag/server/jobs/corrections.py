"""What a person says of a photo: kept beside the model's answer, and stronger than it."""

from sqlalchemy import Engine, update

from hangtag.server.database import writing
from hangtag.server.jobs.stored import StoredResult, read_result
from hangtag.server.jobs.tables import JobRow, LabelRow, ResultRow
from hangtag.server.jobs.vocabulary import Vocabulary
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue


def correct_result(engine: Engine, job: JobRow, position: int, said: dict[str, str]) -> StoredResult:
    """Store what a person says of a photo, and return it.

    What follows from a category label is stored with it. Raises `NotFoundError`, and `InvalidRequestError` for labels
    that cannot be and for a photo that has none to correct.
    """
    vocabulary = Vocabulary.from_json(job.vocabulary)
    with writing(engine) as connection:
        result = read_result(connection, job, position)
        if result.answer is None:
            message = "the photo has no labels to correct"
            raise InvalidRequestError(InvalidValue(field="position", message=message))
        current = {column: label for column, (label, _) in result.chosen.items()} | result.corrections
        corrections = result.corrections | vocabulary.complete(said, current)
        doubtful = [column for column in result.answer["doubtful"] if column not in corrections]
        key = (ResultRow.job == job.number, ResultRow.position == position)
        values = {"corrections": corrections, "doubtful": len(doubtful)}
        connection.execute(update(ResultRow).where(*key).values(**values))
        for column, label in corrections.items():
            one = (LabelRow.job == job.number, LabelRow.position == position, LabelRow.column == column)
            connection.execute(update(LabelRow).where(*one).values(label=label))
        return read_result(connection, job, position)
