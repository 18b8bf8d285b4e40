"""What is fast, against what, in one run: ratios to bare libraries doing the same work. Asserts nothing; `make bench` prints."""
