"""What tests share: a phone, a browser, forgers, other people's servers, staged rivals, models. No tests."""
