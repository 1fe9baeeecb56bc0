"""Update rules, learning-rate schedules, row-sparse updates and averaged parameters."""
