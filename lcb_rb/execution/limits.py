"""What a solution may use."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a solution may use."""

    cpu_s: float = 6.0
    """CPU time of one test, seconds (LiveCodeBench's default)."""
    wall_factor: float = 2.0
    """Time of one test in multiples of `cpu_s`, not counting what it waits for a free processor: ends sleepers."""
    memory_mb: int = 1024
    """Address space beyond the bare interpreter's, MiB."""
    output_mb: int = 16
    """Standard output of one test, and any file, MiB."""

    @property
    def wall_s(self) -> float:
        """Time of one test that is not spent waiting for a processor, seconds."""
        return self.cpu_s * self.wall_factor

    def as_dict(self) -> dict[str, float]:
        """Returns the fields by name."""
        return asdict(self)
