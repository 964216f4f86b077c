"""A Hugging Face Hub on the loopback for tests: `running` starts one, `environment` sends clients to it.

Each repository is a bare git repository, large files lie in a store by sha256. Tokens: `hf_owner` writes to its own
namespace and to `recode`, `hf_readonly` is the same user with a token that only reads, `hf_reader` is somebody else,
`hf_free` has no paid plan, `hf_full` has no storage left.
"""

from hub.control import Seen
from hub.fixture import HubServer, environment, running

__all__ = ["HubServer", "Seen", "environment", "running"]
