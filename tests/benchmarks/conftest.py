"""What a run sets for its process before it computes, for both sides."""

from lib.base.memory import keep_freed

keep_freed()
