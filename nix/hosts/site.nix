# What the examples share, to be replaced by what is yours: who works there, the key that archives are encrypted to, and the
# bucket that they go to. The bucket's credentials are in a file on each host, for root only.
{
  user = "ada";

  # `age-keygen` makes a pair; its other half is kept away from the hosts.
  recipients = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p" ];

  # Each host has a prefix of its own by its name.
  bucket = {
    provider = "backblaze-b2";
    bucket = "example-backups";
    region = "eu-central-003";
    credentials_file = "/var/lib/secrets/backblaze.credentials";
  };
}
