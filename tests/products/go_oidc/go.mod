module site

go 1.25.0

require (
	github.com/MicahParks/keyfunc/v3 v3.7.0
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/lestrrat-go/jwx/v3 v3.4.0
	golang.org/x/oauth2 v0.36.0
)
