"""The stage roll_out: a challenger meets users step by step, and no request is lost."""
