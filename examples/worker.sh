# Hands each message to ./handle on its standard input. Several of these may run.
while id=$(pilot-dx inbox --next --wait --quiet); do
  if pilot-dx inbox read "$id" | ./handle; then
    pilot-dx inbox --ack "$id"
  else
    pilot-dx inbox --nack "$id" --delay 30s
  fi
done
