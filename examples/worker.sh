# Runs ./handle for each message, with the message on its standard input. Run as many of these as you like.
while id=$(pilot-dx inbox --next --wait --quiet); do
  if pilot-dx inbox read "$id" | ./handle; then
    pilot-dx inbox --ack "$id"
  else
    pilot-dx inbox --nack "$id" --delay 30s
  fi
done
