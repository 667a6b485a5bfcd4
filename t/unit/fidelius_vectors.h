/* Made with fidelius-cli; all values base64. Two have a zero byte in front, one has D = 8. */
#ifndef FIDELIUS_VECTORS_H
#define FIDELIUS_VECTORS_H

typedef struct {
    const char *name;
    const char *sender_private;
    const char *sender_public;
    const char *sender_nonce;
    const char *requester_private;
    const char *requester_public;
    const char *requester_nonce;
    const char *secret;
    const char *plain;
    const char *content;
} vector_t;

static const vector_t kept_vectors[] = {
    {"readme",
     "AYhVZpbVeX4KS5Qm/W0+9Ye2q3rnVVGmqRICmseWni4=",
     "BABVt+mpRLMXiQpIfEq6bj8hlXsdtXIxLsspmMgLNI1SR5mHgDVbjHO2A+U4QlMddGzqyEidzm1AkhtSxSO2Ahg=",
     "lmXgblZwotx+DfBgKJF0lZXtAXgBEYr5khh79Zytr2Y=",
     "DMxHPri8d7IT23KgLk281zZenMfVHSdeamq0RhwlIBk=",
     "BAheD5rUqTy4V5xR4/6HWmYpopu5CO+KO8BECS0udNqUTSNo91TIqIIy1A4Vh+F94c+n9vAcwXU2bGcfsI5f69Y=",
     "6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg=",
     "HZbc9a4h9kMAReILN5VtvbSYHWQpfIcrZ9pWHlQZUHs=",
     "V29ybXRhaWwgc2hvdWxkIG5ldmVyIGhhdmUgYmVlbiBQb3R0ZXIgY290dGFnZSdzIHNlY3JldCBrZWVwZXIu",
     "pzMvVZNNVtJzqPkkxcCbBUWgDEBy/mBXIeT2dJWI16ZAQnnXUb9lI+S4k8XK6mgZSKKSRIHkcNvJpllnBg548wUgav"
     "Ba0vCRRwdL6kY6Yw=="},
    {"empty",
     "CT9A7it/qj8QijMqtpKDppcIBMRrLBry0qGM0hWx4uc=",
     "BB2BiR9QmmYA7Q6Os2rUTxUREJpHsPevu8hpSruFd9jgCWaD11kceMmYmabkfblvRmgfD+AqPxb7BApXaVI/rSc=",
     "d/wbla12+NTEqrnyJnadaGT3Z+Ii1aojKBixspZu3Cs=",
     "Dl1XalXwmkXhEqOnKddQPdnBALyOEY534DUaZA/S2kk=",
     "BBNaZ7l39bh/aCZW2FcTi/ZoXZUx1UcTA63chLa54EILBb7lVgQr1Kjrq2oAdSzzuMgRaygI6rKpwEiaeb+fJuw=",
     "k2aIWWoAVHiXjP0dubBnz6cwssu7m97iOHusU/YNpdc=",
     "QPTZQn/NNbyr7d1uX+9soh8jHGRTaFWdRkklI4dSWAE=",
     "",
     "CJSWa1xjDCLTs12IfDVXxA=="},
    {"shared-secret-1-leading-zero",
     "I2iI5w+A6M2d+EIDJBHODflctJp5yN7Hy9jSk4aMug==",
     "BFeirghc97enOXAyKGf0hx+ar469vC/cFIw3d9oeD3PLHeJNXSLJLk5bChyQ8nOLDQuqXxBSE3KZjc2yno1Jkfk=",
     "7OU1CgPyS9UdwmZq8++IbuaetOQghptvPXO148e0xIc=",
     "AZZGtwPU8QBQt81li30CTOENOxWCEiTvpF03VMm4a/s=",
     "BAic6DGhaK+9bJnXT25zMQWB/SAIvsYfkvnkz4TvyWAEB8aPnJhvjJ1N4kNFyqlhutWPjROep7JzIhnga9WBvgU=",
     "bKu/uYNG1rmlcxO0tOFyWfHIiZdiIV93/ei/2+CmFDY=",
     "AN13JoP9kWYY5YdUifeX+lwbCvLaWVGKh14xyRwQQXA=",
     "bGVhZGluZyB6ZXJvIGluIHgoZFEp",
     "h66LHsI2sgxWD4tr3+vpCbuZKGQLNKkDfJVL75aDg8xGMLxX4Q=="},
    {"sender-pub-x-leading-zero",
     "AtgDIN0QjnA+PfYJj6O1bQ82iuuqejRthWIokIZctw==",
     "BADslkQHKESJPBbRDMN2cD3IafYkWZxLFDTZgOBOAWHRCR46tWmxRrsE1g7xiiYxQEDPo4weOJS6c+nz2UhXxAY=",
     "Nxh6QSmnIwlByXd+CanMMiN8lQ5Ev1VkszyyHo/gD2w=",
     "BAFG7zr82V2mcJq4RQb7W9ZLSJl8SIZwCPOI5lgDGT0=",
     "BCE9HmD/CVoxQYi0oP8xDVt9VEXTxaaRP//+8dXczP6aDT8DJ5bOsBPKZ/F3xOHKfjxQstrujn7QLZwybJTVnmw=",
     "sdqgyRojU36+e2G1tTOuAiRoqETaneJunJdRVJROgLM=",
     "HtapRGCR71ScC1OfQXmfI3dKIuKCfADFRx6UMD9lfec=",
     "WCBzdGFydHMgMDA=",
     "iijL2ZAQIKy/Em33zj3b4xjZ48bl+pjnfgw4"},
    {"sender-private-31-bytes",
     "YWbPdqRC3/xtNRpUitg9UcZ7DHTAEJnb+OQeVQ+FZQ==",
     "BB7dm1kc0gLyGUWyWLjSoUPsr0eB3ihn36mewijxe1GqIWySiT2UPSoAzH2UgeCJ18BgCZTe2pX7Eptrp26omTY=",
     "gHjvccayzJ/0aoViplHfwspsoU/iIZtVAazdvykjWLA=",
     "AfhkXjIhjHlfU8DP1QGa8R4ZwMLOicFFRQHgf7D0QZQ=",
     "BBOGuvR/oYD4a5k2cyn7OX+07pTfnHrvlgSkue5MQVb5a52219usu7NWrgqG4ZsJDXw+9uMCJZfmer1aP/I5Z7k=",
     "+Q7AqUlMAOpd5tJ1DEfNtT6SeWSiF0jamjjE2ZxKteE=",
     "bwsL5TYDtkoH+WngHAgU5nsU/pqwaex34ktyBh/SzxQ=",
     "MzEtYnl0ZSBE",
     "rP92axBVotSStzgiaITgBU7R2R2U92C6qw=="},
    {"D-8-no-clamped-form",
     "CA==",
     "BFIKUYJVgQbYguYy+HNhB0wlI5h1WB9TyZwcGpfzdr25H3pERXBGxhtyMLuWv5lPc7C4Y5iPOm4GOtaSkWCNeNU=",
     "R5IN0M1MeuQnqZ5rKeXU/k8DkbZ41I6EyWBBVk1s4ZY=",
     "BldouvBPpuJFWBkv/cDa5i6DErU5bPCw8evj+t6WgwE=",
     "BEjVae/sDXPRK6q5o+zUu8IMWGmypa0hlZSJ29UvvQj8LBnq8/V5TLBgX3A+wQ/1bHnlecnDJELeFhU1WC/G+Yo=",
     "8sT17i/f7XMc7R8uGdufV65DfEbtPE8fPZ6sU+qFjxo=",
     "ZHBI6Mof0H95t8R1hzz1YnRRAkuxRY53/65agRYAEX8=",
     "RD04IGhhcyBubyBYMjU1MTkgY2xhbXBlZCByZXByZXNlbnRhdGl2ZTogc2xvdy1wYXRo",
     "LCemSQNCvNt1fAs3kj7NZkdQXa48dJPGVTCQ1B0aHaVxHkEfFgMhsCqi/zU68SzfuJ6X4kTh8ZLtkzYlqzZYSeZTQg"
     "=="},
};

#endif
