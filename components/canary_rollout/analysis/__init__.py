"""Whether the challenger is as good as the champion: intervals, checks, verdict. Pure."""
