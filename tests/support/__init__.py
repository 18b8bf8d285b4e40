"""What tests share: a phone, a browser, forgers, strangers' servers, staged rivals, models."""
