"""What is needed to make records of one object type, kept for every type that was met."""

from collections.abc import Sequence

from producer.nested import LONG_BYTES_MAX, LongValues
from producer.normalise import Cells, Normaliser, NotAnObject
from producer.record import HalfCodec
from schemas.errors import BadRecord
from schemas.objects import Catalogue, ObjectType


class TypeTools:
    """The tools of one object type."""

    def __init__(self, object_type: ObjectType, *, long: LongValues) -> None:
        self.object_type = object_type
        self.normaliser = Normaliser(object_type, long=long)
        self.half_codec = HalfCodec(object_type)

    def halves(self, rows: Sequence[Cells]) -> list[bytes | None]:
        """The halves of the rows; none for one that does not fit, however it is tried."""
        if not rows:
            return []
        try:
            return list(self.half_codec.encode(self.normaliser.columns(rows), len(rows)))
        except (BadRecord, NotAnObject):
            if len(rows) == 1:
                return [None]
        middle = len(rows) // 2
        return self.halves(rows[:middle]) + self.halves(rows[middle:])


class ToolBox:
    """The tools of each object type, made when it is first met."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._tools: dict[str, TypeTools] = {}
        self._long = LongValues(bytes_max=LONG_BYTES_MAX)

    def tools(self, object_name: str) -> TypeTools:
        """The tools of an object type.

        Raises:
            StrangeObjectName: there is no such type.
        """
        found = self._tools.get(object_name)
        if found is None:
            object_type = self._catalogue.get(object_name)
            found = self._tools[object_name] = TypeTools(object_type, long=self._long)
        return found
