"""What holds for every vendor and every publisher: one suite, many subjects."""
