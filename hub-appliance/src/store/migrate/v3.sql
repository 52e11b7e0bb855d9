-- Schema version 3: what the hub keeps of its answers is forgotten by age.

CREATE INDEX answers_at ON answers (at);
