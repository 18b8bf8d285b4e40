# Deploying: included by the Makefile. STAGE names a stage of .chalice/config.json; ARCHITECTURE overrules it for once.

STAGE ?= dev
FORMAT ?= sam
FOR_MACHINE = $(if $(ARCHITECTURE),--architecture $(ARCHITECTURE))

.PHONY: deploy destroy package cloud

deploy: $(DEV)  ## put STAGE=dev into the AWS account of your credentials, or bring it up to date
	./latchkey deploy --stage $(STAGE) $(FOR_MACHINE)

destroy: $(DEV)  ## take STAGE=dev out of the account; keeps the users (asks for the stage's name, or CONFIRM=dev)
	./latchkey destroy --stage $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

package: $(DEV)  ## write template and zip of STAGE=dev for FORMAT=sam or FORMAT=terraform
	./latchkey package --stage $(STAGE) --format $(FORMAT) $(FOR_MACHINE)

cloud: $(DEV) $(AWS)  ## deploy the real zip, and the notes example, into an AWS on this machine
	@exec $(BIN)/python -m local.cloud
