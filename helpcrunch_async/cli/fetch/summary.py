"""What has become of a fetch, in one line or one object."""

from typing import Any

from attrs import frozen

from helpcrunch_async.cli.text import counted


@frozen
class Summary:
    """What a run leaves behind."""

    out: str
    arrived: int
    """Customers that this run brought."""
    before: int
    """Customers that were there already."""
    failed: int
    """Ids that failed, in this run or before, and were not found since."""
    failures: str | None
    """Which file has them, if one does."""
    requests: int
    seconds: float
    finished: bool
    resumable: bool

    def says_nothing(self) -> bool:
        """Tell whether it ended before anything came of it: then the reason is all there is to tell."""
        return not (self.finished or self.arrived or self.failed)

    def line(self) -> str:
        """For people."""
        total = f"{counted(self.arrived + self.before, 'customer')} in {self.out}"
        parts = [f"{total}, {self.before:,} of them from before" if self.before else total]
        if self.failed:
            where = f", see {self.failures}" if self.failures else ""
            parts.append(f"{self.failed:,} failed{where}")
        parts.append(f"{counted(self.requests, 'request')} in {self.seconds:.1f} s")
        if not self.finished and self.resumable:
            parts.append("not finished: the same command resumes")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "out": self.out,
            "customers": self.arrived + self.before,
            "from_before": self.before,
            "failed": self.failed,
            "failures": self.failures if self.failed else None,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "finished": self.finished,
        }
