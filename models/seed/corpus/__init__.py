"""The language of the seed model: its tasks, and how they are asked, solved and got wrong."""
