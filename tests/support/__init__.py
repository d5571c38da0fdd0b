"""What tests share: a home of their own, a person's terminal, made-up secrets."""
