"""Where alerts are sent: webhooks, chats, PagerDuty, mail. A sink sends some, or raises why it could not."""
